#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The guest's half of tests/demo: nginx with kernel TLS on port 443; on port 8080 a small
server for the host, with one word per question or request."""
import hashlib
import http.server
import json
import os
import subprocess

import rig      # puts ../lib on the path
import ktls

SIZE = 64 << 20
FILE = "/tmp/www/file"
CERT, KEY = "/tmp/cert.pem", "/tmp/key.pem"
NGINX = f"""
user root; worker_processes 1; pid /tmp/nginx.pid; error_log /tmp/nginx.log;
events {{ }}
http {{
    access_log off; sendfile on; root /tmp/www;
    ssl_certificate {CERT}; ssl_certificate_key {KEY};
    ssl_protocols TLSv1.2; ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256;
    ssl_conf_command Options KTLS;
    server {{ listen 443 ssl; }}
}}
"""


def prepare():
    """Make an incompressible file and a certificate, and start nginx."""
    os.makedirs("/tmp/www", exist_ok=True)
    rig.run("dd", "if=/dev/urandom", f"of={FILE}", "bs=1M",
            f"count={SIZE >> 20}")
    rig.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost",
            "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
            "-keyout", KEY, "-out", CERT)
    with open("/tmp/nginx.conf", "w", encoding="ascii") as file:
        file.write(NGINX)
    rig.run("nginx", "-c", "/tmp/nginx.conf")


def about():
    """Answer with the data that the host needs for its requests and checks."""
    with open(FILE, "rb") as file:
        data = file.read()
    with open(CERT, encoding="ascii") as file:
        cert = file.read()
    step = SIZE // 64
    return {"digest": hashlib.sha256(data).hexdigest(), "size": SIZE,
            "cert": cert, "kernel": os.uname().release,
            "tls": rig.run("modinfo", "-n", "tls").strip(),
            "driver": rig.run("ethtool", "-i", rig.IFACE).splitlines()[:3],
            "samples": [data[at:at + 32].hex()
                        for at in range(1000, SIZE, step)]}


def offload(word):
    """Switch the TLS feature by ethtool; answer with the setting now in force."""
    rig.run("ethtool", "-K", rig.IFACE, "tls-hw-tx-offload", word)
    return [line.strip() for line in
            rig.run("ethtool", "-k", rig.IFACE).splitlines()
            if "tls-hw-tx-offload" in line]


def loss(ppm):
    """Have the NIC lose this many frames per million, after its engine has encrypted them."""
    command = {"execute": "qom-set", "arguments": {
        "path": "/machine/peripheral/dut0", "property": "fault-tx-drop-ppm",
        "value": int(ppm)}}
    return json.loads(rig.run("qmp", json.dumps(command)))


class Handler(http.server.BaseHTTPRequestHandler):
    """GET /WORD[/ARGUMENT] answers with JSON."""

    def do_GET(self):   # pylint: disable=invalid-name
        """Answer one request."""
        word, _, argument = self.path.strip("/").partition("/")
        action = {"about": about,
                  "counters": lambda: {**rig.counters(), **ktls.tls_stat()},
                  "offload": lambda: offload(argument),
                  "loss": lambda: loss(argument),
                  "quit": lambda: None}[word]
        try:
            status, answer = 200, action()
        except (AssertionError, OSError, subprocess.SubprocessError) as err:
            status, answer = 500, str(err)
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())
        self.server.over = word == "quit"

    def log_message(self, *args):   # pylint: disable=arguments-differ
        """Say nothing."""


def main():
    """Serve until told to end."""
    prepare()
    server = http.server.HTTPServer(("", 8080), Handler)
    server.over = False
    while not server.over:
        server.handle_request()


main()
