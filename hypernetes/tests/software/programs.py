# SPDX-License-Identifier: Apache-2.0
"""The table of the software tier: one row per program.

A row's script runs under ``sh -eu`` as the container's user, root, in a directory of its own on the file system under
test. The program passed if the script ended with 0 and its output matches the expected expression. Servers are started
with their Debian defaults as far as a directory of their own allows.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Program:
    """One row."""

    name: str
    script: str
    expected: str
    """A regular expression for what must be in the output."""
    seconds: int = 300
    """How long it may take: some five times what it takes when QEMU emulates the processor and nothing else runs."""
    remark: str = ""
    """A regular expression for lines that are kept with the result: what was skipped, repeated or failed."""
    writes_files: bool = True
    """False if the result cannot depend on the file system, so that one of them is enough."""


REDIS = Program(
    "redis",
    """
    redis-server --port 6390 --dir "$PWD" --save '' --daemonize yes --pidfile "$PWD/pid" --logfile "$PWD/log"
    until redis-cli -p 6390 ping; do sleep 0.5; done
    redis-benchmark -p 6390 -t set -n 20000 -r 1000000 -P 16 -q
    stored=$(redis-cli -p 6390 dbsize)
    redis-cli -p 6390 bgsave
    until redis-cli -p 6390 info persistence | grep rdb_bgsave_in_progress:0; do sleep 0.5; done
    redis-cli -p 6390 info persistence | grep rdb_last_bgsave_status
    redis-cli -p 6390 shutdown nosave
    redis-check-rdb dump.rdb
    redis-server --port 6390 --dir "$PWD" --save '' --daemonize yes --pidfile "$PWD/pid" --logfile "$PWD/log"
    until [ "$(redis-cli -p 6390 ping)" = PONG ]; do sleep 0.5; done
    echo "stored $stored loaded $(redis-cli -p 6390 dbsize)"
    redis-cli -p 6390 shutdown nosave
    """,
    r"(?s)rdb_last_bgsave_status:ok.*RDB looks OK.*stored ([1-9]\d{3,}) loaded \1\b",
)

SQLITE = Program(
    "sqlite",
    """
    sqlite3 test.db 'pragma journal_mode = wal; create table entry (number integer)'
    writer() {
        seq 300 | sed 's/.*/insert into entry values (&);/' | sqlite3 -bail -cmd '.timeout 120000' test.db
    }
    writer & first=$!
    writer & second=$!
    wait $first
    wait $second
    sqlite3 test.db 'select count(*), sum(number) from entry; pragma integrity_check'
    """,
    r"(?s)wal\n.*600\|90300\nok\n",
)

NGINX = Program(
    "nginx",
    """
    head -c 20000000 /dev/urandom >file
    chmod 755 .
    cat >nginx.conf <<EOF
    user www-data;
    worker_processes auto;
    pid $PWD/pid;
    error_log $PWD/error.log;
    events { worker_connections 1024; }
    http { access_log $PWD/access.log; sendfile on; server { listen 80; root $PWD; } }
EOF
    nginx -c "$PWD/nginx.conf"
    python3 - <<'EOF'
import concurrent.futures, hashlib, urllib.request
right = hashlib.sha256(open("file", "rb").read()).digest()
def fetch(_):
    return hashlib.sha256(urllib.request.urlopen("http://127.0.0.1/file", timeout=120).read()).digest() == right
with concurrent.futures.ThreadPoolExecutor(8) as pool:
    print(sum(pool.map(fetch, range(24))), "responses are right")
EOF
    nginx -c "$PWD/nginx.conf" -s quit
    """,
    r"24 responses are right",
)

POSTGRESQL = Program(
    "postgresql",
    """
    bin=$(echo /usr/lib/postgresql/*/bin)
    chown postgres .
    as_postgres() { runuser -u postgres -- env PGHOST="$PWD" "$@"; }
    as_postgres "$bin/initdb" -D data
    as_postgres "$bin/pg_ctl" -D data -w -t 120 -l log -o "-k '$PWD'" start
    as_postgres "$bin/createdb" bench
    as_postgres "$bin/pgbench" -i -s 5 bench
    as_postgres "$bin/pgbench" -c 4 -j 2 -T 15 bench
    as_postgres "$bin/pg_ctl" -D data -w -t 120 -m immediate stop
    as_postgres "$bin/pg_ctl" -D data -w -t 120 -l log -o "-k '$PWD'" start
    as_postgres "$bin/psql" -tA bench -c "select 'after the crash: ' || count(*) from pgbench_accounts"
    as_postgres "$bin/pg_ctl" -D data -w -t 120 stop
    """,
    r"(?s)number of failed transactions: 0 .*tps = \d+.*after the crash: 500000\b",
    600,
)

MARIADB = Program(
    "mariadb",
    """
    chown mysql .
    mariadb-install-db --user=mysql --datadir="$PWD/data" --skip-test-db
    mariadbd --user=mysql --datadir="$PWD/data" --socket="$PWD/socket" --pid-file="$PWD/pid" --skip-networking 2>log &
    until mariadb-admin --socket="$PWD/socket" ping; do kill -0 $!; sleep 1; done
    mariadb-slap --socket="$PWD/socket" --engine=innodb --auto-generate-sql --auto-generate-sql-load-type=mixed \
        --concurrency=8 --number-of-queries=2000
    mariadb --socket="$PWD/socket" -e 'check table mysql.user'
    mariadb-admin --socket="$PWD/socket" shutdown
    wait $!
    """,
    r"(?s)Average number of seconds to run all queries: [\d.]+.*status\s+OK",
    600,
)

JAVA = Program(
    "java",
    """
    cat >Fill.java <<'EOF'
import java.util.ArrayList;
import java.util.List;
public class Fill {
    public static void main(String[] arguments) {
        long most = Runtime.getRuntime().maxMemory() >> 20;
        List<byte[]> kept = new ArrayList<>();
        try {
            while (true) {
                // Small enough that G1 puts several into a region: larger ones waste up to half of the heap.
                byte[] block = new byte[1 << 18];
                java.util.Arrays.fill(block, (byte) 1);
                kept.add(block);
            }
        } catch (OutOfMemoryError full) {
            int filled = kept.size() / 4;
            kept.clear();
            System.out.println((filled * 10L >= most * 7 ? "filled" : "too early") + ": " + filled + " of " + most
                + " MiB, " + Runtime.getRuntime().availableProcessors() + " processors");
        }
    }
}
EOF
    java -XX:MaxRAMPercentage=50 Fill.java
    """,
    r"filled: \d+ of \d+ MiB, 2 processors",
)

NODE = Program(
    "node",
    """
    cat >serve.js <<'EOF'
const crypto = require("crypto"), fs = require("fs"), http = require("http");
const body = crypto.randomBytes(100000);
fs.writeFileSync("file", body);
const server = http.createServer((request, response) => fs.createReadStream("file").pipe(response));
const fetch = () => new Promise((resolve, reject) => {
    http.get({ host: "127.0.0.1", port: server.address().port, agent: false }, (response) => {
        const parts = [];
        response.on("data", (part) => parts.push(part));
        response.on("end", () => resolve(Buffer.concat(parts).equals(body)));
    }).on("error", reject);
});
server.listen(0, "127.0.0.1", async () => {
    let right = 0;
    for (let round = 0; round < 25; round++)
        right += (await Promise.all(Array.from({ length: 8 }, fetch))).filter(Boolean).length;
    console.log(right + " responses are right");
    server.close();
});
EOF
    node serve.js
    """,
    r"200 responses are right",
)

GO = Program(
    "go build",
    """
    export HOME="$PWD" GOFLAGS=-mod=mod GOPROXY=off
    cat >go.mod <<'EOF'
module example.org/hello
EOF
    cat >main.go <<'EOF'
package main

import (
    "fmt"
    "net/http"
    "net/http/httptest"
)

func main() {
    server := httptest.NewServer(http.NotFoundHandler())
    defer server.Close()
    response, err := http.Get(server.URL)
    fmt.Println("built and ran:", response.StatusCode, err)
}
EOF
    go build -o hello .
    ./hello
    """,
    r"built and ran: 404 <nil>",
    1200,
)

GIT = Program(
    "git",
    """
    export HOME="$PWD" GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@example.org GIT_COMMITTER_NAME=a \
        GIT_COMMITTER_EMAIL=a@example.org
    git init -q origin
    cd origin
    for number in $(seq 20); do
        mkdir "d$number"
        for file in $(seq 50); do echo "$number $file" >"d$number/f$file"; done
        git add .
        git commit -q -m "commit $number"
    done
    cd ..
    git clone -q --no-local origin clone
    git -C clone gc -q
    git -C clone fsck --full
    git -C clone status --short
    echo "cloned $(git -C clone ls-files | wc -l) files, $(git -C clone rev-list --count HEAD) commits"
    """,
    r"cloned 1000 files, 20 commits",
)


def python_tests(
    name: str, *modules: str, ignored: str = "", seconds: int = 1200, writes_files: bool = True
) -> Program:
    """Return the row of modules of Python's own test suite.

    :param ignored: a pattern of tests that are left out.
    """
    # Failed tests run once more, as with CPython's own Tools/scripts/run_tests.py: many have deadlines of their own.
    # A module that hangs ends before its row does, and says where each thread was.
    options = f"-w -j 1 --timeout {seconds - 60} {f'-i {ignored!r}' if ignored else ''}"
    tests = " ".join(f"test_{module}" for module in modules)
    script = f'python3 -m test {options} --tempdir "$PWD" {tests}'
    remark = r"^(?:FAIL|ERROR): .*|^Tests result: .*|^\d+ (?:re-run )?tests?(?: failed| skipped)?:(?:\n +.*)+"
    return Program(name, script, r"Tests result: (FAILURE then )?SUCCESS", seconds, remark, writes_files)


# Whether a time was set within 50 ms (test_utime_current) says more of the load of the machine than of the pod. The
# modules that are full of such deadlines, as epoll, are run by hand.
PYTHON_QUICK = python_tests("python quick", "os", "posix", "fcntl", "mmap", "tempfile", ignored="test_utime_current*")
# A row for each: a slow one then loses no other, and can be run by its name in a pod of its own.
PYTHON = tuple(
    python_tests(f"python {module}", module, seconds=1800, writes_files=writes)
    for writes, modules in (
        (True, ("os", "posix", "subprocess", "mmap", "fcntl", "tempfile", "shutil", "io")),
        (False, ("signal", "threading", "select", "epoll", "pty", "socket", "ssl")),
    )
    for module in modules
)


# They mount file systems, set up loop devices or call reboot(2), and fail under plain runc too, as root with the
# capabilities that containerd gives. So does io-uring of stress-ng 0.15, whose statx finds no file. netlink-proc needs
# CAP_NET_ADMIN before Linux 6.6, and the guest's kernel is older.
HOST_STRESSORS = ("binderfs", "io-uring", "loop", "netlink-proc", "ramfs", "reboot", "umount")


# In one run with stress-ng 0.15's "resources", which removes semaphores twice, and so this stressor's, it fails on any
# kernel (its commit e929a287e).
ALONE = "sem-sysv"


def stress(name: str, *, writes_files: bool) -> Program:
    """Return the row of a class of stress-ng: each of its stressors for a second, one after another."""
    options = '--timeout 1s --verify --temp-path "$PWD" 2>&1'
    together = f"stress-ng --class {name} --exclude {','.join((*HOST_STRESSORS, ALONE))} --sequential 1 {options}"
    return Program(
        f"stress-ng {name}",
        f"{together}\nstress-ng --{ALONE} 1 {options}" if name == "os" else together,
        r"successful run completed",
        2400,
        r"(?:skipped|passed|failed|metrics untrustworthy): \d+.*|.* fail: .*",
        writes_files,
    )


STRESS = tuple(
    stress(name, writes_files=writes)
    for name, writes in (("os", True), ("filesystem", True), ("network", False), ("pipe", False))
)

QUICK = (REDIS, SQLITE, NGINX, PYTHON_QUICK)
WHOLE = (REDIS, SQLITE, NGINX, POSTGRESQL, MARIADB, JAVA, NODE, GO, GIT, *PYTHON, *STRESS)
