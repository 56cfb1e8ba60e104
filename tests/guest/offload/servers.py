#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Programs that people use: nginx and OpenSSL's s_server send by kernel TLS, and curl at
the far end decrypts with its own TLS. Session keys and digests are left for the host, which
checks the wire."""
import hashlib
import os
import signal
import subprocess

import ktap
import rig

ROOT = "/tmp/www"
CERT, KEY = "/tmp/cert.pem", "/tmp/key.pem"
SHARE = "/mnt/host"
SIZES = {"one": 1, "small": 1000, "record": 16384, "odd": 100003,
         "large": 2 << 20}
SUITES = {128: "ECDHE-ECDSA-AES128-GCM-SHA256",
          256: "ECDHE-ECDSA-AES256-GCM-SHA384"}
PORT = {"nginx": 443, "s_server": 4433}
HOST = {4: rig.NEAR[4], 6: f"[{rig.NEAR[6]}]"}
digests = {}

NGINX = """
user root; worker_processes 1; daemon off; pid /tmp/nginx.pid;
error_log /tmp/nginx.log; events {{ worker_connections 512; }}
http {{
    access_log off; sendfile {sendfile}; root {root};
    ssl_certificate {cert}; ssl_certificate_key {key};
    ssl_protocols TLSv1.2; ssl_ciphers {suite};
    ssl_conf_command Options KTLS;
    server {{ listen 443 ssl; listen [::]:443 ssl; }}
}}
"""


def make_file(name, size):
    """A recognisable file to serve."""
    data = rig.pattern(size)
    with open(f"{ROOT}/{name}", "wb") as file:
        file.write(data)
    digests[name] = hashlib.sha256(data).hexdigest()


def prepare():
    """Make the certificate, the files, and the data for the host's check of the wire."""
    os.makedirs(ROOT, exist_ok=True)
    rig.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=vktls",
            "-keyout", KEY, "-out", CERT)
    for name, size in SIZES.items():
        make_file(name, size)
    if os.path.isdir(SHARE):
        with open(f"{SHARE}/digests", "w", encoding="ascii") as file:
            file.write("\n".join(digests.values()))


def start(argv, port):
    """Start a server, wait until it listens, and stop it when the case ends."""
    # pylint: disable-next=consider-using-with
    server = subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.PIPE,
                              stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)

    def stop():
        server.send_signal(signal.SIGTERM)
        server.wait()

    ktap.defer(stop)
    rig.wait_for(lambda: f":{port} " in rig.run("ss", "-Hltn"), 20,
                 lambda: f"{argv[0]} does not listen")


def nginx(bits, sendfile):
    """Start nginx with kernel TLS."""
    with open("/tmp/nginx.conf", "w", encoding="ascii") as file:
        file.write(NGINX.format(sendfile="on" if sendfile else "off", root=ROOT,
                                cert=CERT, key=KEY, suite=SUITES[bits]))
    start(["nginx", "-c", "/tmp/nginx.conf"], PORT["nginx"])


def s_server(bits, sendfile):
    """Start OpenSSL's test server with kernel TLS."""
    start(["openssl", "s_server", "-ktls", "-tls1_2", "-cipher", SUITES[bits],
           "-cert", CERT, "-key", KEY, "-WWW", "-quiet", "-accept", "4433"] +
          (["-sendfile"] if sendfile else []), PORT["s_server"])


def curl(*argv):
    """Run curl at the peer; its session keys go to the host."""
    env = dict(os.environ)
    if os.path.isdir(SHARE):
        env["SSLKEYLOGFILE"] = f"{SHARE}/keys.log"
    done = subprocess.run(["ip", "netns", "exec", "peer", "curl", "-sSk",
                           *argv], env=env, capture_output=True, check=False)
    if done.returncode:
        raise AssertionError(done.stderr.decode(errors="replace"))
    return done


def fetch(server, family, name):
    """Download one file and compare it. Returns the negotiated version and cipher."""
    url = f"https://{HOST[family]}:{PORT[server]}/{name}"
    done = curl("-v", url)
    ktap.equal(hashlib.sha256(done.stdout).hexdigest(), digests[name], name)
    return next(line for line in done.stderr.decode().splitlines()
                if "SSL connection using" in line)


def serve(server, bits, sendfile, family):
    """Download a file of each size from this server: the NIC encrypts all records."""
    {"nginx": nginx, "s_server": s_server}[server](bits, sendfile)
    for name, size in SIZES.items():
        watch = rig.Watch()
        words = fetch(server, family, name)
        if "TLSv1.2" not in words or SUITES[bits] not in words:
            raise AssertionError(words)
        watch.settle("tx_tls_del", 1)
        watch.expect(tx_tls_ctx=1, TlsTxDevice=1, TlsTxSw=0,
                     tx_tls_fallback_gap=0)
        if watch["tx_tls_encrypted_bytes"] < size + 29:
            raise AssertionError(watch.report())


def hundred():
    """A hundred downloads at once from nginx: all arrive, and all connections are on the
    NIC."""
    nginx(128, True)
    watch = rig.Watch()
    urls = f"https://{HOST[4]}/odd?[1-100]"
    curl("--parallel", "--parallel-immediate", "--parallel-max", "100",
         "-H", "Connection: close", "-o", "/tmp/got_#1", urls)
    for number in range(1, 101):
        path = f"/tmp/got_{number}"
        with open(path, "rb") as file:
            got = hashlib.sha256(file.read()).hexdigest()
        ktap.equal(got, digests["odd"], f"download {number}")
        os.unlink(path)
    watch.settle("tx_tls_del", 100)
    watch.expect(tx_tls_ctx=100, TlsTxDevice=100, TlsTxSw=0)


def main():
    """Register and run."""
    rig.offload()
    rig.control()
    prepare()
    for server in ("nginx", "s_server"):
        for bits in SUITES:
            for sendfile in (False, True):
                for family in (4, 6):
                    how = "sendfile" if sendfile else "send"
                    ktap.add(f"{server}_aes{bits}_{how}_v{family}", serve,
                             server, bits, sendfile, family, timeout=60)
    ktap.add("nginx_hundred_downloads", hundred, timeout=120)
    ktap.main()


if __name__ == "__main__":
    main()
