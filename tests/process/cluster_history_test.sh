#!/usr/bin/env bash
# shellcheck disable=SC2154,SC2317,SC2046,SC2206  # bin, root, work, port, status and reply come from lib.sh; words are split
# Three real nodes, clients on all of them, and things that go wrong all the while: kill -9, standing still, a network
# that is cut this way and that and damages what it carries, clocks that are set, disks that are full or slow, nodes that
# come back at another address. What the clients saw must be linearizable (nothing acknowledged lost, no signal counted
# twice), and in the end every replica has the same content; then a bit of a file is another, and that is noticed or
# changes nothing.
#   cluster_history_test.sh BIN                 one round of 40 s
#   HOURS=1 cluster_history_test.sh BIN         rounds of 60 s, for an hour
#   ROUNDS=3 ROUND_S=100 …                      so many, so long
#   SEED=7 …                                    the same choices again (not the same moments)
#   NEMESES="kill_one cut_one" …                only these
#   CHANGES=w=local …                           the control: what a leader alone has may be lost, and that is found
#   FLIPS=100 …                                 so many bits instead of 2
#   KEEP=DIR …                                  where the history and the logs of a failure go
# shellcheck source=tests/process/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

if [ -n "${HOURS-}" ]; then round_s=${ROUND_S:-60} rounds=100000; else round_s=${ROUND_S:-40} rounds=${ROUNDS:-1}; fi
end_s=$((SECONDS + ${HOURS:-1000} * 3600))
seed=${SEED:-$((RANDOM + 1))}
RANDOM=$seed
declare -A counts=() address=()
skipped=""
failures_dir=${KEEP:-}
shards=${SHARDS:-3}

step() { echo "$SECONDS s: $*"; }
below() { echo $((RANDOM % $1)); }
# wait_ms FROM TO: the length of a fault is part of the test.
wait_ms() {
    local ms=$(($1 + RANDOM % ($2 - $1 + 1)))
    read -rt "$((ms / 1000)).$(printf %03d $((ms % 1000)))" <> <(:) || true
}
url_of() { echo "http://127.0.0.1:${node_http[$1]}"; }

# launch NUMBER COMMAND ARGS...: does not wait. The proxy knows a node by its pid.
launch() {
    local number=$1 command=$2
    shift 2
    [ -s "$work/n$number.shift" ] || echo 0 >"$work/n$number.shift"
    [ -s "$work/n$number.delay" ] || echo 0 >"$work/n$number.delay"
    [ -n "${address[$number]-}" ] || address[$number]=127.0.0.1:${proxy_port[n$number]}
    [ -f "$work/n$number.log" ] && mv "$work/n$number.log" "$work/n$number.log.before"
    LD_PRELOAD="$bin/libshifted_clock.so $bin/libslow_disk.so" TIDAL_CLOCK_SHIFT_FILE=$work/n$number.shift \
        TIDAL_DISK_DELAY_FILE=$work/n$number.delay "$bin/tidal-server" "$command" --data-dir "$work/n$number" \
        --listen "127.0.0.1:${node_http[n$number]}" --peer-listen "127.0.0.1:${node_peer[n$number]}" --peer-advertise "${address[$number]}" \
        --heartbeat-ms 50 --election-ms-min 500 --election-ms-max 1000 --checkpoint-interval-ms 2000 "$@" \
        >"$work/n$number.log" 2>&1 &
    node_pid[n$number]=$!
    echo $! >"$work/n$number.pid"
}

# Nemeses. Each ends with everything healed, except that nodes may still be starting.
others_of() { for other in 1 2 3; do [ "$other" = "$1" ] || echo "$other"; done; }
kill_nodes() {
    local number
    for number in "$@"; do kill -9 "${node_pid[n$number]}"; done
    for number in "$@"; do wait "${node_pid[n$number]}" 2>/dev/null; done
    wait_ms 0 2500
    for number in "$@"; do launch "$number" start; done
}
kill_one() { kill_nodes $((1 + $(below 3))); }
kill_majority() { kill_nodes $(others_of $((1 + $(below 3)))); }
kill_all() { kill_nodes 1 2 3; }
stop_one() {
    local number=$((1 + $(below 3)))
    kill -TERM "${node_pid[n$number]}"
    poll 60 has_ended "n$number" || fail "node $number does not stop"
    wait "${node_pid[n$number]}" || fail "node $number stopped with $?: $(tail -n 3 "$work/n$number.log")"
    launch "$number" start
}
pause_nodes() {
    local number
    for number in "$@"; do kill -STOP "${node_pid[n$number]}"; done
    wait_ms 1500 4000
    for number in "$@"; do kill -CONT "${node_pid[n$number]}"; done
}
pause_one() { pause_nodes $((1 + $(below 3))); }
pause_majority() { pause_nodes $(others_of $((1 + $(below 3)))); }
cut_while() {
    links "$1"
    wait_ms 1500 5000
    links '*>* open'
}
cut_one() {
    local number=$((1 + $(below 3)))
    cut_while "$number>* cut, *>$number cut"
}
cut_all() { cut_while '*>* cut'; }
cut_out() { cut_while "$((1 + $(below 3)))>* cut"; }
cut_in() { cut_while "*>$((1 + $(below 3))) cut"; }
cut_bridge() {
    local ends
    mapfile -t ends < <(others_of $((1 + $(below 3))))
    cut_while "${ends[0]}>${ends[1]} cut, ${ends[1]}>${ends[0]} cut"
}
cut_ring() { cut_while '1>2 cut, 2>3 cut, 3>1 cut'; }
cut_flapping() {
    local number=$((1 + $(below 3)))
    for _ in {1..8}; do
        links "$number>* cut, *>$number cut"
        wait_ms 50 600
        links '*>* open'
        wait_ms 20 300
    done
}
reset_one() {
    local number=$((1 + $(below 3)))
    cut_while "$number>* reset"
}
slow() { cut_while "*>* delay $((20 + $(below 150)))"; }
slow_one() { cut_while "$((1 + $(below 3)))>* delay $((50 + $(below 400)))"; }
# A bit of every so many bytes: a handshake or thousands of messages get through. TLS ends the connection.
damage() { cut_while "*>* damage $((2000 + $(below 100000)))"; }
damage_one() {
    local number=$((1 + $(below 3))) every=$((500 + $(below 20000)))
    cut_while "$number>* damage $every, *>$number damage $every"
}
# Each sync takes so long.
slow_disk() {
    local number=$((1 + $(below 3)))
    echo $((5 + $(below 300))) >"$work/n$number.delay"
    wait_ms 1500 5000
    echo 0 >"$work/n$number.delay"
}
# One at a time, and when all know where the others are: nodes find each other where they were.
knows() { # NODE ABOUT
    [ "$(get "n$1" /cluster/nodes ".nodes[] | select(.node == $2) | .peer_address")" = "${address[$2]}" ]
}
all_know() {
    local number other
    for number in 1 2 3; do for other in 1 2 3; do knows $number $other || return 1; done; done
}
move_one() {
    local number=$((1 + $(below 3))) name
    name=n$number
    poll 60 all_know || fail "nodes do not find each other: $(get n1 /cluster/nodes -c)"
    kill -9 "${node_pid[$name]}"
    wait "${node_pid[$name]}" 2>/dev/null
    if [ "${address[$number]}" = "127.0.0.1:${proxy_port[$name]}" ]; then
        address[$number]=127.0.0.1:${other_port[$name]}
    else
        address[$number]=127.0.0.1:${proxy_port[$name]}
    fi
    launch $number start
    poll 60 all_know || fail "node $number is not found at ${address[$number]}: $(for other in 1 2 3; do get n$other /cluster/nodes '.nodes[] | [.node, .up, .peer_address]'; done) $(tail -n 3 "$work/$name.log")"
}
cut_and_kill() {
    local number=$((1 + $(below 3)))
    links "$number>* cut, *>$number cut"
    wait_ms 500 2000
    kill_nodes $((1 + $(below 3)))
    links '*>* open'
}
# Clocks stay as they were set until this is chosen again, or the round ends.
set_clock() { echo "$2" >"$work/n$1.shift"; }
skew() {
    local number
    for number in 1 2 3; do set_clock "$number" 0; done
    for number in $(others_of $((1 + $(below 3)))) $((1 + $(below 3))); do set_clock "$number" $(($(below 60001) - 30000)); done
    wait_ms 500 2500
}
clock_jumps() {
    local number=$((1 + $(below 3)))
    for _ in {1..8}; do
        set_clock "$number" $(($(below 60001) - 30000))
        wait_ms 50 600
    done
    set_clock "$number" 0
}
# Node 3's directory is a small disk of its own.
complaints() { grep -ci 'no space left' "$work/n3.log"; }
has_no_room() { [ "$(complaints)" -gt "$1" ] || has_ended n3; }
fill_disk() {
    local before
    before=$(complaints)
    dd if=/dev/zero of="$work/n3/ballast" bs=1M status=none 2>/dev/null
    # The log has some room of its own, checkpoints have not.
    poll 15 has_no_room "$before" && counts[full_disk_seen]=$((${counts[full_disk_seen]-0} + 1))
    wait_ms 1000 4000
}
up_or_ended() { is_up "$1" || has_ended "n$1"; }
after_full_disk() {
    # A node that cannot start for want of room ends, and says so; it must come back from that.
    poll 60 up_or_ended 3 || fail "node 3 neither serves nor ends with a full disk"
    has_ended n3 && { wait "${node_pid[n3]}" 2>/dev/null; launch 3 start; }
}
full_disk() {
    fill_disk
    rm -f "$work/n3/ballast"
    after_full_disk
}
full_disk_and_kill() {
    fill_disk
    kill -9 "${node_pid[n3]}"
    wait "${node_pid[n3]}" 2>/dev/null
    launch 3 start
    wait_ms 1000 5000
    rm -f "$work/n3/ballast"
    after_full_disk
}

nemeses=(${NEMESES:-kill_one kill_majority kill_all stop_one pause_one pause_majority cut_one cut_all cut_out cut_in
    cut_bridge cut_ring cut_flapping reset_one slow slow_one cut_and_kill
    damage damage_one slow_disk move_one skew clock_jumps})
# next_nemesis: sets `what`. All of them once, in some order, before one comes again.
deck=()
next_nemesis() {
    [ ${#deck[@]} -gt 0 ] || deck=("${nemeses[@]}")
    local at
    at=$(below ${#deck[@]})
    what=${deck[at]}
    unset "deck[at]"
    deck=("${deck[@]}")
}
small_disk() {
    [ "$(id -u)" = 0 ] || { skipped="$skipped full_disk, full_disk_and_kill (not root)"; return; }
    mkdir "$work/n3"
    mount -t tmpfs -o size=512m tmpfs "$work/n3" 2>/dev/null || { skipped="$skipped full_disk, full_disk_and_kill (no mount)"; return; }
    trap 'cleanup_disk; cleanup' EXIT
    [ -n "${NEMESES-}" ] || nemeses+=(full_disk full_disk_and_kill)
}
cleanup_disk() {
    [ -n "${node_pid[n3]-}" ] && kill -9 "${node_pid[n3]}" 2>/dev/null
    wait "${node_pid[n3]-}" 2>/dev/null
    umount -l "$work/n3" 2>/dev/null
}
is_up() { [ "$(curl -s -o /dev/null --max-time 5 -w '%{http_code}' "$(url_of "n$1")/healthz")" = 200 ]; }
all_up() { is_up 1 && is_up 2 && is_up 3; }
# sample: what each replica holds now, as "SHARD INDEX HASH NODE", to those seen before. Nodes that are a record apart
# when they are asked have another hash, so only those of one index are compared.
sample() {
    local number pids=()
    for number in 1 2 3; do
        curl -s --max-time 60 "$(url_of "n$number")/cluster/shards?content_hash=on" |
            jq -r --arg node "$number" '.shards[] | "\(.shard) \(.content_index) \(.content_hash) \($node)"' >"$work/sample.$number" 2>/dev/null &
        pids+=($!)
    done
    wait "${pids[@]}"
    sort -u "$work"/sample.? "$work/samples" -o "$work/samples"
}
differing() { cut -d' ' -f1-3 "$work/samples" | sort -u | cut -d' ' -f1-2 | uniq -d; }
compared() { cut -d' ' -f1-2 "$work/samples" | uniq -c | awk '$1 == 3 { print $2 }' | sort -u | wc -l; }
all_compared() {
    sample
    [ -n "$(differing)" ] || [ "$(compared)" = $((shards + 1)) ]
}
check_content() { # WHEN
    : >"$work/samples"
    poll 90 all_compared || fail "$1: replicas are never at the same record: $(cat "$work/samples")"
    [ -z "$(differing)" ] || fail "$1: replicas differ at $(differing | head): $(cat "$work/samples")"
}
check_alive() {
    local number
    for number in 1 2 3; do
        has_ended "n$number" || continue
        wait "${node_pid[n$number]}" 2>/dev/null
        fail "node $number ended by itself with $?: $(tail -n 5 "$work/n$number.log")"
        launch "$number" start
    done
}

# flip_bit: of a node that is down. It does not start, or says what it cannot read, or it holds what the others do; then the
# bit is as it was.
says_damaged() { curl -s --max-time 60 "$(url_of "n$1")/cluster/shards?content_hash=on" | jq -e '.code == "corruption"' >/dev/null 2>&1; }
flip_bit() {
    local number=$((1 + $(below 3))) files file at byte bit
    local name=n$number
    end_node $name KILL
    # A store's LOG is for people, a LOCK is empty, and CURRENT may come to name a file that is not there, which is no damage.
    mapfile -t files < <(find "$work/$name/wal" "$work/$name/store" -type f -size +0 ! -name 'LOG*' ! -name CURRENT | sort)
    file=${files[RANDOM % ${#files[@]}]} bit=$((1 << $(below 8))) byte=0
    # Most of a log's last file is yet to be written.
    for _ in {1..100}; do
        at=$(((RANDOM << 15 | RANDOM) % $(stat -c %s "$file")))
        byte=$(od -An -tu1 -j $at -N 1 "$file")
        [ $((byte)) = 0 ] || break
    done
    cp "$file" "$work/whole"
    write_byte() { printf '%b' "\\x$(printf %02x "$2")" | dd of="$1" bs=1 seek=$at conv=notrunc status=none; }
    write_byte "$file" $((byte ^ bit))
    step "byte $at of ${file#"$work"/} is $((byte ^ bit)) instead of $((byte))"
    counts[flips]=$((${counts[flips]-0} + 1))
    launch $number start
    : >"$work/samples"
    compared_or_ended() { has_ended $name || { up_or_ended $number && { says_damaged $number || all_compared; }; }; }
    poll 90 compared_or_ended || fail "node $number neither ends nor has what the others have: $(tail -n 3 "$work/$name.log")"
    if has_ended $name; then
        grep -q '\[corruption\]' "$work/$name.log" || fail "node $number ends without a word of damage: $(tail -n 3 "$work/$name.log")"
        counts[flips_noticed]=$((${counts[flips_noticed]-0} + 1))
        wait "${node_pid[$name]}" 2>/dev/null
        cp "$work/whole" "$file"
    else
        # A table of the store is read when somebody asks for what is in it.
        if says_damaged $number; then
            counts[flips_noticed]=$((${counts[flips_noticed]-0} + 1))
        else
            [ -z "$(differing)" ] || fail "nobody notices, and replicas differ at $(differing | head)"
        fi
        end_node $name KILL
        # Where it has not been written since.
        write_byte "$work/whole" $((byte ^ bit))
        cmp -s "$work/whole" "$file" && write_byte "$file" $((byte))
    fi
    launch $number start
    poll 60 is_up $number || fail "node $number does not come back: $(tail -n 3 "$work/$name.log")"
}

round() { # NUMBER
    local run what number
    : >"$work/run"
    "$bin/tidal-history" run --nodes "$(url_of n1),$(url_of n2),$(url_of n3)" --strong-parameter --seed $((seed * 1000 + $1)) \
        --seconds "$round_s" --keys "${KEYS:-6}" --clients 12 --rate "${RATE:-300}" --timeout-ms 3000 --settle-s 120 --change-parameters "${CHANGES:-}" \
        --out "$work/history" >"$work/run" 2>&1 &
    run=$!
    poll 150 grep -q '^working' "$work/run" || fail "clients do not begin: $(cat "$work/run")"
    until grep -q '^settling' "$work/run" || ! kill -0 "$run" 2>/dev/null; do
        next_nemesis
        counts[$what]=$((${counts[$what]-0} + 1))
        step "$what"
        $what
        check_alive
        wait_ms 500 2500
    done
    links '*>* open'
    for number in 1 2 3; do set_clock "$number" 0; done
    poll 120 all_up || fail "not all nodes are up in the end: $(tail -n 3 "$work"/n?.log)"
    wait "$run" || fail "clients: $(cat "$work/run")"
    cat "$work/run"
    "$bin/tidal-history" check "$work/history" >"$work/verdict" || fail "what clients saw: $(cat "$work/verdict")"
    tail -n 1 "$work/verdict"
    check_content "after round $1"
}

step "seed $seed: three nodes"
begin_proxy n1 n2 n3
small_disk
launch 1 init --shards "$shards"
poll 60 is_up 1 || { fail "the first node: $(tail -n 5 "$work/n1.log")"; finish; }
for number in 2 3; do
    TIDAL_TOKEN=$("$bin/tidalctl" node token --url "$(url_of n1)") launch $number join --seed "127.0.0.1:${proxy_port[n1]}"
    poll 60 is_up $number || { fail "node $number does not join: $(tail -n 5 "$work/n$number.log")"; finish; }
done
voters() { [ "$(get "n$1" /cluster/shards '[.shards[] | select((.voters | length) == 3)] | length')" = $((shards + 1)) ]; }
for number in 1 2 3; do poll 60 voters $number || { fail "node $number is no voter everywhere"; finish; }; done

shifts() { [ $(($(date -d "$(get n1 /health .now)" +%s) - $(date +%s))) -gt 20 ]; }
set_clock 1 30000
poll 10 shifts || fail "the clock of node 1 is not moved: $(get n1 /health .now)"
set_clock 1 0

for ((at = 1; at <= rounds && failed == 0 && SECONDS < end_s; at++)); do
    [ "$rounds" = 1 ] || step "round $at"
    round "$at"
done
[ "$failed" = 0 ] || [ -z "$failures_dir" ] || cp "$work"/history "$work"/run "$work"/n?.log* "$work"/verdict "$work"/samples "$failures_dir"
[ "$(proxy_stats '.connections > 0 and .bytes > 0')" = true ] || fail "nodes do not speak through the proxy"

step "and once more after a clean stop of all"
for number in 1 2 3; do kill -TERM "${node_pid[n$number]}"; done
for number in 1 2 3; do wait "${node_pid[n$number]}" || fail "node $number stopped with $?"; done
for number in 1 2 3; do launch $number start; done
poll 120 all_up || fail "nodes do not come back"
check_content "after a restart"
for ((at = 0; at < ${FLIPS:-2} && failed == 0; at++)); do flip_bit; done
check_content "after bits were flipped"
[ "${counts[damage]-0}${counts[damage_one]-0}" = 00 ] || [ "$(proxy_stats '.damaged > 0')" = true ] || fail "nothing was damaged on its way"
for number in 1 2 3; do end_node "n$number" TERM || fail "node $number stopped with $?"; done

echo "seed $seed, nemeses:$(for what in "${!counts[@]}"; do echo -n " $what ${counts[$what]},"; done) not done:$skipped"
finish
