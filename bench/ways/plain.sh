#!/usr/bin/env bash
# What people write by hand: build, push, replace the container, poll until it answers. Has downtime, checks nothing.
# usage: plain.sh FOLDER IMAGE NAME PORT
set -euo pipefail
folder=$1 image=$2 name=$3 port=$4

docker build --quiet --tag "$image" "$folder" >/dev/null
docker push --quiet "$image" >/dev/null
docker rm --force "$name" >/dev/null 2>&1 || true
docker run --detach --name "$name" --publish "127.0.0.1:$port:80" "$image" >/dev/null
until curl --silent --fail --output /dev/null "http://127.0.0.1:$port/"; do sleep 0.02; done
