#!/usr/bin/env bash
# hello_server under h2load: 10 connections of 100 calls at once, 100,000 calls
# unless another number is given. h2load knows HTTP alone, so that every call also
# ended with grpc-status 0 is told by two more checks: the replies' bytes, which a
# call that fails does not send, and the trailers of 1,000 calls made by nghttp.
# Exits non-zero unless every call succeeded.
set -euo pipefail
cd "$(dirname "$0")/../.."

calls=${1:-100000}
traced=1000
path=/example.HelloService/SayHello
target=${CARGO_TARGET_DIR:-target}

fail() {
    echo "FAIL: $*" >&2
    exit 1
}

for program in h2load nghttp; do
    command -v "$program" >/dev/null || fail "$program is missing;" \
        "on Debian and Ubuntu: apt-get install nghttp2-client; elsewhere it is part of nghttp2"
done

cargo build --locked --release --package examples --bin hello_server

work=$(mktemp -d)
server=
finish() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT

"$target/release/hello_server" 127.0.0.1:0 >"$work/server" &
server=$!
for _ in $(seq 100); do
    address=$(sed -n 's/^listening on //p' "$work/server")
    [ -z "$address" ] || break
    sleep 0.1
done
[ -n "$address" ] || fail "hello_server did not listen within 10 s"

# No compression, the length as four bytes, and HelloRequest { greeting: "World" }.
printf '\0\0\0\0\7\12\5World' >"$work/request"
# The same around HelloResponse { reply: "Hello, World!" }: 5 + 2 + 13 bytes.
reply=20
headers=(-H 'content-type: application/grpc' -H 'te: trailers')

timeout 300 h2load --requests="$calls" --clients=10 --max-concurrent-streams=100 \
    --data="$work/request" "${headers[@]}" "http://$address$path" | tee "$work/h2load"
grep -q "^requests: $calls total, $calls started, $calls done, $calls succeeded, 0 failed, 0 errored, 0 timeout$" \
    "$work/h2load" || fail "not all of $calls calls were answered"
bytes=$(sed -n 's/^traffic: .*(\([0-9]*\)) data$/\1/p' "$work/h2load")
[ "$bytes" = $((calls * reply)) ] ||
    fail "the replies are ${bytes:-no} bytes, not $calls times $reply"

timeout 120 nghttp --verbose --multiply="$traced" --data="$work/request" "${headers[@]}" \
    "http://$address$path" >"$work/nghttp"
statuses() { grep -c "recv (stream_id=[0-9]*) grpc-status: $1\$" "$work/nghttp" || true; }
[ "$(statuses 0)" = "$traced" ] ||
    fail "$(statuses 0) of $traced calls ended with grpc-status 0, of $(statuses '[0-9]*') that had one"

kill -TERM "$server"
wait "$server" || fail "hello_server ended with $?"
server=
grep -qx 'stopped; 0 calls were cut' "$work/server" || fail "hello_server did not stop in order"
echo "$calls calls answered, $bytes bytes of replies; grpc-status 0 in the trailers of $traced more"
