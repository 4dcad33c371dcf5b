#!/bin/bash
# The part of the hub's entry point that compose files use: POSTGRES_{USER,PASSWORD,DB,INITDB_ARGS,HOST_AUTH_METHOD}
# (each also as ..._FILE), PGDATA, /docker-entrypoint-initdb.d.
set -euo pipefail

main() {
    if [ "${1#-}" != "$1" ]; then set -- postgres "$@"; fi
    if [ "$1" != postgres ]; then exec "$@"; fi
    if [ "$(id -u)" -eq 0 ]; then become_postgres "$@"; fi
    if [ ! -s "$PGDATA/PG_VERSION" ]; then make_database "$@"; fi
    exec "$@"
}

become_postgres() {
    mkdir -p "$PGDATA"
    chmod 700 "$PGDATA"
    find "$PGDATA" \! -user postgres -exec chown postgres '{}' +
    exec setpriv --reuid postgres --regid postgres --init-groups "$0" "$@"
}

setting() {
    local file="$1_FILE"
    if [ -n "${!file:-}" ]; then cat "${!file}"; else printf '%s' "${!1:-${2:-}}"; fi
}

make_database() {
    local user password database method
    user=$(setting POSTGRES_USER postgres)
    password=$(setting POSTGRES_PASSWORD)
    database=$(setting POSTGRES_DB "$user")
    method=$(setting POSTGRES_HOST_AUTH_METHOD scram-sha-256)
    if [ -z "$password" ] && [ "$method" != trust ]; then
        echo 'Error: Database is uninitialized and superuser password is not specified (POSTGRES_PASSWORD).' >&2
        exit 1
    fi
    # shellcheck disable=SC2046  # several arguments
    initdb --username="$user" --pwfile=<(printf '%s\n' "${password:-unused}") $(setting POSTGRES_INITDB_ARGS)
    printf '\nhost all all all %s\n' "$method" >>"$PGDATA/pg_hba.conf"
    PGUSER=$user PGPASSWORD=$password first_start "$database" "$@"
}

# On the unix socket alone, so that nobody meets a database that is half made.
first_start() {
    local database=$1 script
    shift 2
    pg_ctl -D "$PGDATA" -o "-c listen_addresses='' ${*@Q}" -w start
    if [ "$database" != postgres ]; then
        psql -v ON_ERROR_STOP=1 --no-psqlrc -d postgres -v name="$database" <<<'CREATE DATABASE :"name";'
    fi
    for script in /docker-entrypoint-initdb.d/*; do
        case "$script" in
            *.sh) bash "$script" ;;
            *.sql) psql -v ON_ERROR_STOP=1 --no-psqlrc -d "$database" -f "$script" ;;
            *.sql.gz) gunzip -c "$script" | psql -v ON_ERROR_STOP=1 --no-psqlrc -d "$database" ;;
        esac
    done
    pg_ctl -D "$PGDATA" -m fast -w stop
}

main "$@"
