#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""OpenSSL and nginx with kernel TLS at the near end; curl and Python's ssl, which do TLS in
user space, at the far end. TLS 1.2 and 1.3, in software and on the NIC. Digests are
compared at both ends, and the kernel's counters show that kernel TLS did the work."""
import hashlib
import http.server
import os
import pathlib
import socket
import ssl
import subprocess
import threading

import ktap
import rig

ROOT = "/tmp/interop"
CERT, KEY = f"{ROOT}/cert.pem", f"{ROOT}/key.pem"
SIZES = {"small": 1000, "odd": 100003, "large": 1 << 20}
VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
OPENSSL = {"1.2": "-tls1_2", "1.3": "-tls1_3"}
SUITE = "ECDHE-ECDSA-AES128-GCM-SHA256"
PORT = {"nginx": 443, "s_server": 4433}
NGINX = f"""
user root; worker_processes 1; daemon off; pid {ROOT}/nginx.pid;
error_log {ROOT}/nginx.log; events {{ worker_connections 64; }}
http {{
    access_log off; sendfile on; root {ROOT};
    ssl_certificate {CERT}; ssl_certificate_key {KEY};
    ssl_protocols TLSv1.2 TLSv1.3; ssl_ciphers {SUITE};
    ssl_conf_command Options KTLS;
    ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;
    client_max_body_size 8m;
    server {{
        listen 443 ssl; http2 on;
        location /digest {{ proxy_pass http://127.0.0.1:8080; }}
    }}
}}
"""
digests = {}


def digest(data):
    return hashlib.sha256(data).hexdigest()


def prepare():
    """Make the certificate, the configurations and the files."""
    os.makedirs(ROOT, exist_ok=True)
    rig.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=vktls",
            "-keyout", KEY, "-out", CERT)
    pathlib.Path(ROOT, "nginx.conf").write_text(NGINX, "ascii")
    for name, size in SIZES.items():
        data = rig.pattern(size)
        pathlib.Path(ROOT, name).write_bytes(data)
        digests[name] = digest(data)


def start(argv, port):
    """Start a server, wait until it listens, and stop it when the case ends."""
    # pylint: disable-next=consider-using-with
    server = subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.PIPE,
                              stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)

    def stop():
        server.terminate()
        server.wait()

    ktap.defer(stop)
    rig.wait_for(lambda: f":{port} " in rig.run("ss", "-Hltn"), 30,
                 lambda: f"{argv[0]} does not listen")


def curl(*argv):
    """Run curl at the peer. Returns its output."""
    done = subprocess.run(["ip", "netns", "exec", "peer", "curl", "-sSk",
                           *argv], capture_output=True, check=False)
    if done.returncode:
        raise AssertionError(done.stderr.decode(errors="replace"))
    return done.stdout


def engaged(watch, card, sent, received=0):
    """This many connections sent and received by kernel TLS, the sending ones on the NIC if
    CARD is set."""
    hardware = sent if card else 0
    watch.expect(TlsTxDevice=hardware, TlsTxSw=sent - hardware)
    if watch["TlsRxSw"] < received:
        raise AssertionError(f"{watch['TlsRxSw']} receive by kernel TLS")


def url(server, name):
    return f"https://{rig.NEAR[4]}:{PORT[server]}/{name}"


def serve(server, version, card):
    """curl fetches each file from the server by a connection of its own: all arrive
    unchanged."""
    rig.offload(card)
    if server == "nginx":
        start(["nginx", "-c", f"{ROOT}/nginx.conf"], PORT[server])
    else:
        start(["openssl", "s_server", "-ktls", "-sendfile", "-WWW", "-quiet",
               OPENSSL[version], "-cipher", SUITE, "-ciphersuites",
               "TLS_AES_128_GCM_SHA256", "-cert", CERT, "-key", KEY, "-accept",
               str(PORT[server])], PORT[server])
    watch = rig.Watch()
    for name, wanted in digests.items():
        got = curl("--http1.1", f"--tlsv{version}", "--tls-max", version,
                   url(server, name))
        ktap.equal(digest(got), wanted, name)
    engaged(watch, card, len(digests))


def one_connection(protocol, version, card):
    """nginx sends all files over one connection, by HTTP/1.1 or HTTP/2: all arrive
    unchanged."""
    rig.offload(card)
    start(["nginx", "-c", f"{ROOT}/nginx.conf"], PORT["nginx"])
    watch = rig.Watch()
    words = []
    for name in digests:
        words += ["-o", f"{ROOT}/got-{name}", url("nginx", name)]
    said = curl(f"--http{protocol}", f"--tlsv{version}", "--tls-max", version,
                "-w", "%{http_version} %{num_connects}\n", *words)
    ktap.equal(said.decode().splitlines(),
               [f"{protocol} 1"] + [f"{protocol} 0"] * (len(digests) - 1),
               "protocol and connections")
    for name, wanted in digests.items():
        ktap.equal(digest(pathlib.Path(ROOT, f"got-{name}").read_bytes()),
                   wanted, name)
    engaged(watch, card, 1)


class Digester(http.server.BaseHTTPRequestHandler):
    """A web server that answers a POST with the digest of its data."""

    def do_POST(self):      # pylint: disable=invalid-name
        answer = digest(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer.encode())

    def log_message(self, *_):      # pylint: disable=arguments-differ
        pass


def upload(protocol, version, card):
    """nginx receives all files over one connection, and passes them to a server that
    returns their digests: all digests are right."""
    rig.offload(card)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 8080), Digester)
    ktap.defer(server.server_close)
    ktap.defer(server.shutdown)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    start(["nginx", "-c", f"{ROOT}/nginx.conf"], PORT["nginx"])
    watch, words = rig.Watch(), []
    for name in digests:
        words += ["--next"] if words else []
        words += [f"--http{protocol}", f"--tlsv{version}", "--tls-max", version, "-sSk",
                  "--data-binary", f"@{ROOT}/{name}", "-H", "Expect:", "-w",
                  " %{http_version} %{num_connects}\n", url("nginx", "digest")]
    ktap.equal(curl(*words).decode().splitlines(),
               [f"{wanted} {protocol} {number == 0:d}"
                for number, wanted in enumerate(digests.values())],
               "digest, protocol and connections")
    engaged(watch, card, 1, 1)


def context(purpose, version):
    """A context of Python's ssl for one TLS version."""
    made = ssl.SSLContext(purpose)
    made.minimum_version = made.maximum_version = VERSIONS[version]
    if purpose == ssl.PROTOCOL_TLS_SERVER:
        made.load_cert_chain(CERT, KEY)
    else:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    made.set_ciphers(SUITE)
    return made


def far_server(version, data, seen):
    """Start a server of Python's ssl at the far side; it reads as many bytes as DATA has,
    then sends DATA."""
    with rig.far_side():
        server = socket.create_server((rig.FAR[4], 0))
    ktap.defer(server.close)

    def work():
        plain, _ = server.accept()
        with context(ssl.PROTOCOL_TLS_SERVER,
                     version).wrap_socket(plain, server_side=True) as sock:
            while len(seen) < len(data) and (chunk := sock.recv(1 << 16)):
                seen.extend(chunk)
            sock.sendall(data)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return server.getsockname()[1], thread


def client(version, card):
    """OpenSSL's client sends a file to Python's ssl and gets it back."""
    rig.offload(card)
    data, seen = pathlib.Path(ROOT, "odd").read_bytes(), bytearray()
    port, thread = far_server(version, data, seen)
    argv = ["openssl", "s_client", "-ktls", "-quiet", OPENSSL[version],
            "-cipher", SUITE, "-ciphersuites", "TLS_AES_128_GCM_SHA256",
            "-connect", f"{rig.FAR[4]}:{port}"]
    watch = rig.Watch()
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL) as near:
        near.stdin.write(data)
        near.stdin.flush()
        got = near.stdout.read(len(data))
        near.terminate()
    thread.join(20)
    ktap.equal((digest(bytes(seen)), digest(got)), (digests["odd"],) * 2,
               "there and back")
    engaged(watch, card, 1, 1)


def both_ends(version, card):
    """OpenSSL with kernel TLS at both ends: each sends a file to the other."""
    rig.offload(card)
    words = ["-ktls", "-quiet", OPENSSL[version], "-cipher", SUITE, "-ciphersuites",
             "TLS_AES_128_GCM_SHA256"]
    at = f"{rig.NEAR[4]}:{PORT['s_server']}"
    watch, far = rig.Watch(), far_stat()
    data = pathlib.Path(ROOT, "odd").read_bytes()
    with subprocess.Popen(["openssl", "s_server", *words, "-naccept", "1", "-cert",
                           CERT, "-key", KEY, "-accept", at], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as server:
        rig.wait_for(lambda: f":{PORT['s_server']} " in rig.run("ss", "-Hltn"), 30,
                     lambda: "s_server does not listen")
        with subprocess.Popen(["ip", "netns", "exec", "peer", "openssl", "s_client",
                               *words, "-connect", at], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL) as other:
            got = []
            for sender, receiver in ((other, server), (server, other)):
                sender.stdin.write(data)
                sender.stdin.flush()
                got.append(digest(receiver.stdout.read(len(data))))
            other.terminate()
        server.terminate()
    ktap.equal(got, [digests["odd"]] * 2, "there and back")
    engaged(watch, card, 1, 1)
    now = far_stat()
    ktap.equal([now[name] - far[name] for name in ("TlsTxSw", "TlsRxSw")], [1, 1],
               "at the far end")


def far_stat():
    """/proc/net/tls_stat of the peer."""
    words = rig.far_run("cat", "/proc/net/tls_stat").split()
    return {name: int(value) for name, value in zip(words[::2], words[1::2])}


def main():
    prepare()
    for card in (False, True):
        for version in VERSIONS:
            how = f"{version} {'card' if card else 'software'}"
            for server in ("nginx", "s_server"):
                ktap.add(f"{server} {how}", serve, server, version, card)
            for protocol in ("1.1", "2"):
                ktap.add(f"nginx one connection HTTP/{protocol} {how}",
                         one_connection, protocol, version, card)
                ktap.add(f"nginx receives by HTTP/{protocol} {how}", upload,
                         protocol, version, card)
            ktap.add(f"s_client {how}", client, version, card)
            ktap.add(f"s_server and s_client {how}", both_ends, version, card)
    ktap.main()


main()
