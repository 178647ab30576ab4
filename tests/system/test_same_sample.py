# SPDX-License-Identifier: LGPL-2.1-or-later
"""Real programs, each sample unwound by us and by libdw: 99 % of the frames agree, and we reach the root
at least as often."""

import pytest

import same_sample

PYTHON = """
import json, time
end = time.monotonic() + 1.5
while time.monotonic() < end:
    json.dumps(sorted(str(i) for i in range(1000)))
"""
PERL = "my %h; for my $i (1..8000000) { $h{$i % 5000} .= sprintf('%x', $i); } print scalar(keys %h)"
SQL = """with recursive c(x) as (select 1 union all select x + 1 from c where x < 3000000)
select count(distinct x % 1000 * 7 || 'a') from c"""
# While ld.so resolves a symbol: _dl_runtime_resolve's CFA is in RBX, which we do not follow through callees.
ONE_IN = 0.002


def shell(command):
    return ["sh", "-c", command]


def openssl(algorithm, option=""):
    return shell(f"exec openssl speed -seconds 1 -bytes 4096 {option} {algorithm}")


PROGRAMS = {
    "python": ("/usr/bin/python3", ["/usr/bin/python3", "-c", PYTHON]),
    "perl": ("/usr/bin/perl", ["perl", "-e", PERL]),
    "sqlite": ("/usr/bin/sqlite3", ["sqlite3", ":memory:", SQL]),
    "gzip": ("/usr/bin/gzip", shell("for i in 1 2; do gzip -9c /usr/bin/python3.11; done >/dev/null")),
    "xz": ("/usr/bin/xz", shell("xz -3kc /usr/bin/python3.11 >/dev/null")),
    "git": ("/usr/bin/git", shell("cd /usr/share && exec git grep --no-index -E '([a-z]+)_[a-z]*q' doc")),
    "sha512": ("/usr/bin/openssl", openssl("sha512")),
    "aes-gcm": ("/usr/bin/openssl", openssl("aes-256-gcm", "-evp")),
    "chacha20": ("/usr/bin/openssl", openssl("chacha20-poly1305", "-evp")),
    "rsa": ("/usr/bin/openssl", openssl("rsa2048")),
    "ecdsa": ("/usr/bin/openssl", openssl("ecdsap256")),
    "montgomery": ("/usr/bin/openssl", openssl("dsa1024")),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_libdw_agrees(sandbox, name):
    executable, argv = PROGRAMS[name]
    figures = same_sample.compare(sandbox, argv, executable)
    print(f"{name}: {figures}; {figures.unmatched} not matched")
    for what, n in figures.differ.most_common(5):
        print("   ", n, what)
    assert figures.samples >= 100
    assert figures.unmatched <= 0.05 * figures.samples + 10
    assert figures.agree >= 0.99 * figures.frames
    assert figures.our_roots >= figures.their_roots - ONE_IN * figures.samples
