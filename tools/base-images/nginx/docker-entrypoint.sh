#!/bin/sh
set -e

# As the hub's image does: scripts an image adds run before the server.
if [ "$1" = nginx ] || [ "$1" = nginx-debug ]; then
    for script in /docker-entrypoint.d/*.sh; do
        if [ -x "$script" ]; then "$script"; fi
    done
fi

exec "$@"
