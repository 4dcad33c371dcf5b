#!/bin/sh
set -e

# Options or a configuration file alone are for redis-server.
if [ "${1#-}" != "$1" ] || [ "${1%.conf}" != "$1" ]; then
    set -- redis-server "$@"
fi

if [ "$1" = redis-server ]; then
    # The hub's build has protected mode off (a container's port is closed until it is published); Debian's has it on.
    case "$*" in
        *.conf* | *--protected-mode*) ;;
        *) set -- "$@" --protected-mode no ;;
    esac
    if [ "$(id -u)" = 0 ]; then
        find . \! -user redis -exec chown redis '{}' +
        exec setpriv --reuid redis --regid redis --clear-groups "$@"
    fi
fi

exec "$@"
