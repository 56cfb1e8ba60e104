#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""tests/kselftest on the host: the verdict that tls_report.py makes from a log, the keys
and data that both ends compute, and the page in docs, which must have exactly the existing
cases."""
import ast
import os
import pathlib
import subprocess
import sys
import tempfile

TOP = pathlib.Path(__file__).resolve().parents[2]
FOLDER = TOP / "tests/kselftest"
PAGE = TOP / "docs/kselftest-verdict.txt"
LOG = """# interface: eth9, driver: somecard, kernel: 9.9
KTAP version 1
1..4
# evidence: 17 bytes
ok 1 tls_data.transfer.tx_1_2_aes_gcm_128_v4
ok 2 tls_data.wire.1_3 # SKIP no <1.3> here
ok 3 tls_known.empty_record # XFAIL mended in 99
"""
COMPARE = """
#include <stdio.h>
#include "tls_peer.h"
int main(void)
{
	struct traffic_key key = { cipher_find("chacha20-poly1305"), TLS_1_3_VERSION, 1, 3, 9 };
	struct key_bytes bytes = { 0 };
	unsigned char data[50];
	size_t i, len = key_derive(&key, &bytes);

	for (i = 0; i < len; i++)
		printf("%02x", ((unsigned char *)&bytes)[i]);
	pattern_fill(data, 1234567, sizeof(data));
	printf(" %.50s", data);
	return 0;
}
"""

ANSWERS = """
#include <stdio.h>
#include <string.h>
#include "tls_peer.h"
enum { VKDEV_AEAD_AES_128_GCM, VKDEV_AEAD_AES_256_GCM, VKDEV_AEAD_CHACHA20_POLY1305 };
#include "aead_kat.h"

static const char *const names[] = { "aes-gcm-128", "aes-gcm-256", "chacha20-poly1305" };

static size_t unhex(unsigned char *out, const char *hex)
{
	size_t len = 0;

	for (; sscanf(hex, "%2hhx", &out[len]) == 1; hex += 2)
		len++;
	return len;
}

int main(void)
{
	unsigned char key[32], nonce[12], aad[64], sealed[512], data[512], plain[512];
	const struct aead_kat *kat;
	size_t i, aad_len, len, bit, right = 0, count = sizeof(aead_kats) / sizeof(*kat);
	struct aead a;

	for (i = 0; i < count; i++) {
		kat = &aead_kats[i];
		unhex(key, kat->key);
		unhex(nonce, kat->nonce);
		aad_len = unhex(aad, kat->aad);
		len = unhex(sealed, kat->cipher);
		len += unhex(sealed + len, kat->tag);
		aead_init(&a, cipher_find(names[kat->alg]), key);
		memcpy(data, sealed, len);
		if (!aead_open(&a, nonce, aad, aad_len, data, len) ||
		    memcmp(data, plain, unhex(plain, kat->plain)))
			printf("%s: does not open\\n", kat->name);
		for (bit = 0; bit < 8 * len; bit++) {
			memcpy(data, sealed, len);
			data[bit / 8] ^= 1 << bit % 8;
			if (aead_open(&a, nonce, aad, aad_len, data, len))
				printf("%s: opens with bit %zu changed\\n", kat->name, bit);
		}
		right++;
	}
	printf("%zu of %zu\\n", right, count);
	return 0;
}
"""


def report(text, *options):
    """(status, text) of tls_report.py on a log."""
    with tempfile.TemporaryDirectory() as folder:
        log = pathlib.Path(folder, "log")
        log.write_text(text, "utf-8")
        done = subprocess.run([sys.executable, FOLDER / "tls_report.py", *options, log],
                              capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def verdicts():
    """Each result has its word, and its evidence or reason."""
    status, said = report(LOG + "not ok 4 tls_loss.trouble.rx_loss_1_2\n")
    assert status == 1, status
    rows = {line[:44].strip(): line[44:].split("  ") for line in said.splitlines()}
    for feature, verdict, evidence in (
            ("data: transfer sent 1.2 aes gcm 128 v4", "yes", "17 bytes"),
            ("data: wire 1.3", "not offered", "no <1.3> here"),
            ("known: empty record", "expected failure", "mended in 99"),
            ("loss: trouble received loss 1.2", "NO", "")):
        words = [word.strip() for word in rows[feature] if word.strip()]
        assert words == [word for word in (verdict, evidence) if word], rows[feature]
    assert "interface eth9, driver somecard, kernel 9.9" in said


def good_run():
    """A log without a failure gives status 0."""
    assert report(LOG + "ok 4 tls_loss.trouble.rx_loss_1_2\n")[0] == 0


def early_end():
    """A program that ended before its last case is a failure."""
    assert report(LOG)[0] == 1


def page_is_escaped():
    """Special characters of a log are escaped in the page."""
    with tempfile.TemporaryDirectory() as folder:
        page = pathlib.Path(folder, "page.html")
        report(LOG, "--html", page)
        text = page.read_text("utf-8")
    assert "no &lt;1.3&gt; here" in text and "<1.3>" not in text


def program(text, *flags):
    """The output of a program that has all of tls_peer.c except its main()."""
    compiler = [os.environ.get("CC", "gcc"), "-D_GNU_SOURCE=", f"-I{FOLDER}", *flags]
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder, "a.c")
        source.write_text(text, "utf-8")
        subprocess.run([*compiler, "-Dmain=peer_main", "-c", FOLDER / "tls_peer.c", "-o",
                        f"{folder}/p.o"], check=True)
        subprocess.run([*compiler, source, FOLDER / "tls_wire.c", FOLDER / "tls_aead.c",
                        f"{folder}/p.o", "-o", f"{folder}/a"], check=True)
        return subprocess.run([f"{folder}/a"], capture_output=True, text=True,
                              check=True).stdout


def known_answers():
    """tls_aead.c opens published test vectors, and nothing that was changed."""
    said = program(ANSWERS, "-fsanitize=address,undefined", f"-I{TOP}/tests/vectors").split("\n")
    done, _, count = said[0].partition(" of ")
    assert done == count and int(count) >= 9 and len(said) == 2, said


def both_ends_agree():
    """tls_peer.c and peer.py compute the same keys and data."""
    there = program(COMPARE).split()
    names = {}
    tree = ast.parse((FOLDER / "lib/py/peer.py").read_text("utf-8"))
    tree.body = [node for node in tree.body if not isinstance(node, ast.ClassDef) and not (
        isinstance(node, ast.ImportFrom) and node.level)]
    exec(compile(tree, "peer.py", "exec"), names)   # pylint: disable=exec-used
    here = names["crypto_info"]("1.3", "chacha20-poly1305", True, 3, 9).hex()
    assert there == [here, names["pattern"](1234567, 50).decode()], (there, here)


def cases():
    """{"program: case"} of all programs."""
    found = set()
    for path in sorted(FOLDER.glob("tls_*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "ksft_run":
                found |= {f"{path.stem.removeprefix('tls_')}: {name.id.replace('_', ' ')}"
                          for name in node.args[0].elts}
    return found


def page_is_current():
    """The page in docs has a row for each case, and no other."""
    page = PAGE.read_text("utf-8")
    _, _, rows = page.partition("\nFeature ")
    shown = {line[:44].strip() for line in rows.splitlines() if ": " in line[:44]}
    for case in cases():
        assert any(row.startswith(case) for row in shown), f"{case} is not in {PAGE.name}"
    for row in shown:
        assert any(row.startswith(case) for case in cases()), f"{row}: no such case"
    assert "driver vktls" in page and "NO  " not in page


def main():
    """Run the cases as KTAP."""
    checks = [verdicts, good_run, early_end, page_is_escaped, known_answers,
              both_ends_agree]
    checks += [page_is_current] if PAGE.exists() else []
    print(f"TAP version 14\n1..{len(checks)}")
    failed = 0
    for number, check in enumerate(checks, 1):
        try:
            check()
            print(f"ok {number} {check.__name__}")
        except (AssertionError, KeyError, subprocess.CalledProcessError) as why:
            failed += 1
            print(f"# {type(why).__name__}: {why}\nnot ok {number} {check.__name__}")
    return 1 if failed else 0


sys.exit(main())
