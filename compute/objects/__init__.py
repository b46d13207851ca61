"""Values that travel between daemons and are stored: frozen dataclasses without SQL, HTTP or behaviour of a daemon."""
