#!/bin/sh
set -e

# Options alone are options of haproxy.
if [ "${1#-}" != "$1" ]; then
    set -- haproxy "$@"
fi

# -W: a master, so that SIGUSR2 reloads; -db: stay in the foreground.
if [ "$1" = haproxy ]; then
    shift
    set -- haproxy -W -db "$@"
fi

exec "$@"
