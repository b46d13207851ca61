# Finds the package that provides a required file or program. Releases rename packages (libext2fs2 became libext2fs2t64 with 64-bit time) and split
# them; so a name is resolved against what this machine's package lists offer, and no release is named here.

# installed_names: the names of all installed packages and what they provide, one on a line.
installed_names() {
    dpkg-query -W -f '${db:Status-Status}\t${Package}, ${Provides}\n' 2>/dev/null |
        awk -F '\t' '$1 == "installed" { gsub(/ \([^)]*\)/, "", $2); gsub(/, */, "\n", $2); print $2 }' | grep .
}

# package_exists NAME: the lists offer a package of that name, not only others that provide it.
package_exists() { apt-cache show --no-all-versions "$1" 2>/dev/null | grep '^Package: ' >/dev/null; }

# resolve_package ALTERNATIVES: print the first of "name|other name" that exists; with each name its 64-bit-time form and a
# package that provides it are tried too. 1 when there is none.
resolve_package() {
    local name candidate
    for name in ${1//|/ }; do
        for candidate in "$name" "${name}t64" $(package_provider "$name"); do
            if package_exists "$candidate"; then
                echo "$candidate"
                return
            fi
        done
    done
    return 1
}

package_provider() {
    apt-cache showpkg "$1" 2>/dev/null | awk '/^Reverse Provides:/ { on = 1; next } on && NF && !found++ { print $1 }'
}

# library_packages NAME...: the packages of shared libraries that the named ones need, and that those need in turn.
# Other packages (an interpreter, for example) are left out, together with their own dependencies.
library_packages() {
    apt-cache depends --recurse --important "$@" 2>/dev/null | awk -v roots="$*" '
        /^[^ ]/ { at = $1; next }
        $1 ~ /Depends:$/ && $2 ~ /^(lib|zlib)/ { needs[at] = needs[at] " " $2 }
        END {
            count = split(roots, queue, " ")
            for (i = 1; i <= count; i++) {
                n = split(needs[queue[i]], names, " ")
                for (j = 1; j <= n; j++) if (!seen[names[j]]++) { print names[j]; queue[++count] = names[j] }
            }
        }'
}
