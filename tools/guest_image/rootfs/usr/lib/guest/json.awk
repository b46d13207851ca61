# Read one JSON document and print its leaves (strings, numbers, true, false, null).
#   -v want=REGEX   the values, unescaped, whose JSON pointer (RFC 6901) matches
#   without want    lines "pointer TAB value", values as escaped as they were
# Exit status 1, after what could be read, if the document is broken.

{ text = text $0 "\n" }

END {
    skip(0)
    value("")
    exit failed
}

function fail() { failed = 1; text = "" }

# Drop n characters and the white space behind them.
function skip(n) {
    text = substr(text, n + 1)
    if (match(text, /^[ \t\r\n]+/)) text = substr(text, RLENGTH + 1)
}

function next_is(character) {
    if (substr(text, 1, 1) != character) return 0
    skip(1)
    return 1
}

# The text starts at an opening quote: take the string off, return its inside,
# still escaped. A quote behind an odd number of backslashes does not end it.
function quoted(    piece, all, end, slashes) {
    text = substr(text, 2)
    do {
        end = index(text, "\"")
        if (!end) { fail(); return all }
        piece = substr(text, 1, end - 1)
        text = substr(text, end + 1)
        slashes = match(piece, /\\+$/) ? RLENGTH : 0
        all = all piece (slashes % 2 ? "\"" : "")
    } while (slashes % 2)
    skip(0)
    return all
}

function value(path,    count) {
    if (text == "") { fail(); return }
    if (next_is("{")) { members(path); return }
    if (next_is("[")) { elements(path); return }
    if (substr(text, 1, 1) == "\"") { leaf(path, quoted(), 1); return }
    if (!match(text, /^[-+.0-9A-Za-z]+/)) { fail(); return }
    count = RLENGTH
    leaf(path, substr(text, 1, count))
    skip(count)
}

function members(path,    key) {
    while (text != "" && !next_is("}")) {
        if (substr(text, 1, 1) != "\"") { fail(); return }
        key = unescape(quoted())
        gsub(/~/, "~0", key)
        gsub(/\//, "~1", key)
        if (!next_is(":")) { fail(); return }
        value(path "/" key)
        next_is(",")
    }
}

function elements(path,    n) {
    for (n = 0; text != "" && !next_is("]"); n++) {
        value(path "/" n)
        next_is(",")
    }
}

function leaf(path, escaped, is_string) {
    if (want == "") print path "\t" escaped
    else if (path ~ want && (is_string || escaped != "null")) print unescape(escaped)
}

function unescape(s,    out, at, c, code) {
    while ((at = index(s, "\\")) > 0) {
        out = out substr(s, 1, at - 1)
        c = substr(s, at + 1, 1)
        if (c == "u") {
            code = hex(substr(s, at + 2, 4))
            s = substr(s, at + 6)
            if (code >= 55296 && code < 56320 && substr(s, 1, 2) == "\\u") {
                code = 65536 + (code - 55296) * 1024 + hex(substr(s, 3, 4)) - 56320
                s = substr(s, 7)
            }
            out = out utf8(code)
            continue
        }
        if (c == "n") c = "\n"
        else if (c == "t") c = "\t"
        else if (c == "r") c = "\r"
        else if (c == "b") c = "\b"
        else if (c == "f") c = "\f"
        out = out c
        s = substr(s, at + 2)
    }
    return out s
}

function hex(digits,    n, i) {
    for (i = 1; i <= 4; i++)
        n = n * 16 + index("0123456789abcdef", tolower(substr(digits, i, 1))) - 1
    return n
}

function utf8(code) {
    if (code < 128) return sprintf("%c", code)
    if (code < 2048) return sprintf("%c%c", 192 + int(code / 64), 128 + code % 64)
    if (code < 65536)
        return sprintf("%c%c%c", 224 + int(code / 4096), 128 + int(code / 64) % 64, 128 + code % 64)
    return sprintf("%c%c%c%c", 240 + int(code / 262144), 128 + int(code / 4096) % 64,
                   128 + int(code / 64) % 64, 128 + code % 64)
}
