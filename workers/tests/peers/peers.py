"""What the channels talk to in the tests, as others made it. What happens is told on stdout, one JSON object a line.

smtp     a mail server: one port with STARTTLS, one with TLS from the start, one without any
apprise  an HTTP server around Apprise, with the answers of its API
decrypt  reads encrypted pushes on stdin and tells what they say
"""

import asyncio
import base64
import datetime
import ipaddress
import json
import os
import ssl
import sys
import tempfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def tell(**facts):
    print(json.dumps(facts), flush=True)


def certificate():
    """A certificate for 127.0.0.1 that nobody else signed: its PEM, and what a server needs."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mail of the tests")])
    now = datetime.datetime.now(datetime.timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        paths = [os.path.join(folder, one) for one in ("cert", "key")]
        for path, content in zip(paths, (pem, secret)):
            with open(path, "wb") as file:
                file.write(content)
        context.load_cert_chain(*paths)
    return pem.decode(), context


async def smtp():
    from aiosmtpd.smtp import SMTP, AuthResult

    pem, context = certificate()
    seen = set()

    class Handler:
        async def handle_RCPT(self, server, session, envelope, address, options):
            word = address.split("@")[0]
            if word == "refused":
                return f"550 5.1.1 <{address}> no such mailbox"
            if word == "grey" and address not in seen:
                seen.add(address)
                return f"451 4.7.1 <{address}> greylisted, come back later"
            if word == "hangs":
                await asyncio.sleep(3600)
            envelope.rcpt_tos.append(address)
            return "250 OK"

        async def handle_DATA(self, server, session, envelope):
            text = envelope.content.decode("utf-8", "replace")
            # A session that is encrypted from the start does not know.
            encrypted = server.transport.get_extra_info("ssl_object") is not None
            tell(to=envelope.rcpt_tos, tls=encrypted, user=session.auth_data, mail=text)
            return "250 taken"

    def check(server, session, envelope, mechanism, data):
        right = data.login == b"figures" and data.password == b"the right password"
        return AuthResult(success=right, handled=right, auth_data=data.login.decode())

    loop = asyncio.get_running_loop()
    common = dict(hostname="mail.example")
    secure = dict(authenticator=check, auth_required=True, **common)
    starttls = await loop.create_server(
        lambda: SMTP(Handler(), tls_context=context, require_starttls=True, **secure), "127.0.0.1", 0
    )
    implicit = await loop.create_server(
        lambda: SMTP(Handler(), auth_require_tls=False, **secure), "127.0.0.1", 0, ssl=context
    )
    plain = await loop.create_server(lambda: SMTP(Handler(), **common), "127.0.0.1", 0)
    port = lambda server: server.sockets[0].getsockname()[1]
    tell(starttls=port(starttls), tls=port(implicit), plain=port(plain), ca_pem=pem)
    await asyncio.Event().wait()


def apprise_api():
    import apprise

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            given = json.loads(self.rfile.read(int(self.headers["content-length"])))
            them = apprise.Apprise()
            if self.path != "/notify":
                status = 404
            elif not them.add(given["urls"]):
                status = 204
            else:
                sent = them.notify(body=given["body"], title=given["title"], notify_type=given["type"])
                status = 200 if sent else 424
            tell(urls=given["urls"], status=status)
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    tell(port=server.server_address[1])
    server.serve_forever()


def decrypt():
    import http_ece
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    def unpadded(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    key, auth = ec.generate_private_key(ec.SECP256R1()), os.urandom(16)
    point = key.public_key().public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    )
    tell(p256dh=unpadded(point), auth=unpadded(auth))
    for line in sys.stdin:
        body = base64.b64decode(line)
        said = http_ece.decrypt(body, private_key=key, auth_secret=auth, version="aes128gcm")
        tell(said=said.decode())


if __name__ == "__main__":
    what = sys.argv[1]
    if what == "smtp":
        asyncio.run(smtp())
    elif what == "apprise":
        apprise_api()
    else:
        decrypt()
