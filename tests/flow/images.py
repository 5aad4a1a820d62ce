#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Images over HTTP: who sees them, what is seen, from blobs and from sealed files, and that nobody waits for a viewer."""
import concurrent.futures
import hashlib
import http.client
import shutil
import socket
import struct
import sys
import urllib.parse
import zlib

from port import PATIENCE, Failure, Port, must, wait_for


class Viewer:
    def __init__(self, port, token):
        self.address = urllib.parse.urlsplit(port.http)
        self.token = token

    def ask(self, path, method="GET", **headers):
        """status, headers, body"""
        line = http.client.HTTPConnection(self.address.hostname, self.address.port, timeout=60)
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        line.request(method, path, headers={name.replace("_", "-"): text for name, text in headers.items()})
        answer = line.getresponse()
        body = answer.read()
        line.close()
        return answer.status, answer.headers, body

    def good(self, path, **headers):
        status, found, body = self.ask(path, **headers)
        must(status == 200, f"{path}: {status} {body[:200]}")
        return found, body


def viewer(port, name, purpose):
    return Viewer(port, port.ctl("keys", "viewer", name, "--purpose", purpose).stdout.strip())


def png_pixels(body):
    """Width, height, bits and pixels, little-endian, of a grey PNG: by the book, nothing but zlib."""
    must(body[:8] == b"\x89PNG\r\n\x1a\n", "no PNG")
    at, packed, head = 8, b"", None
    while at < len(body):
        size, kind = struct.unpack(">I4s", body[at:at + 8])
        part = body[at + 8:at + 8 + size]
        must(zlib.crc32(kind + part) == struct.unpack(">I", body[at + 8 + size:at + 12 + size])[0], "CRC of a chunk")
        if kind == b"IHDR":
            head = struct.unpack(">IIBBBBB", part)
        packed += part if kind == b"IDAT" else b""
        at += 12 + size
    width, height, bits, colour, _, _, interlaced = head
    must(colour == 0 and interlaced == 0, "not plain grey")
    cell, stride, rows = bits // 8, width * bits // 8, zlib.decompress(packed)
    out, above = bytearray(), bytes(stride)
    for y in range(height):
        kind, line = rows[y * (stride + 1)], bytearray(rows[y * (stride + 1) + 1:(y + 1) * (stride + 1)])
        for x in range(stride):
            left = line[x - cell] if x >= cell else 0
            corner = above[x - cell] if x >= cell else 0
            guess = left + above[x] - corner
            paeth = min((abs(guess - left), 0, left), (abs(guess - above[x]), 1, above[x]), (abs(guess - corner), 2, corner))[2]
            line[x] = (line[x] + (0, left, above[x], (left + above[x]) // 2, paeth)[kind]) & 255
        out += line
        above = line
    if bits == 16:
        out[0::2], out[1::2] = out[1::2], out[0::2]
    return width, height, bits, bytes(out)


def reduced(pixels, image, region, size):
    """The exact area average, from its definition."""
    sha, image_width, _, bits = image
    x0, y0, w, h = region
    level = (lambda at: pixels[at]) if bits == 8 else (lambda at: pixels[2 * at] | pixels[2 * at + 1] << 8)
    out = []
    for j in range(size[1]):
        for i in range(size[0]):
            total = 0
            for y in range(j * h // size[1], -(-(j + 1) * h // size[1])):
                down = min((y + 1) * size[1], (j + 1) * h) - max(y * size[1], j * h)
                for x in range(i * w // size[0], -(-(i + 1) * w // size[0])):
                    across = min((x + 1) * size[0], (i + 1) * w) - max(x * size[0], i * w)
                    total += down * across * level((y0 + y) * image_width + x0 + x)
            out.append((2 * total + w * h) // (2 * w * h))
    return b"".join(value.to_bytes(bits // 8, "little") for value in out)


def images_of(port):
    rows = port.state("SELECT lower(hex(sha256)), width, height, bits, entry FROM images ORDER BY payload_bytes DESC, entry")
    must(len(rows) >= 3, "the simulator sent no images")
    return rows


def query_of(region, size, form):
    names = ("x", "y", "w", "h", "width", "height")
    return "&".join(f"{name}={value}" for name, value in zip(names, (*region, *size))) + f"&format={form}"


def strangers(port, image):
    """Nobody without a token learns anything, and nothing of it is an access."""
    path = f"/images/{image[0]}"
    for token in (None, "", "x", "0" * 64, "a" * 200):
        status, headers, body = Viewer(port, token).ask(path)
        must(status == 401 and "Bearer" in headers["WWW-Authenticate"] and len(body) < 100, f"token {token}: {status}")
    must(Viewer(port, None).ask("/images/zz?bad=1")[0] == 401, "a stranger is told about parameters")
    must(port.entries("access") == [], "a stranger left an access entry")


def whole_and_parts(officer, image):
    """Whole by its digest; parts and sizes by their definition; PNG as the raw bytes."""
    sha, width, height, bits = image
    headers, pixels = officer.good(f"/images/{sha}?format=raw")
    must(hashlib.sha256(pixels).hexdigest() == sha, "the whole image has another digest")
    must(headers["X-Image-Checked"] == "sha256" and headers["X-Image-From"] == "blob", f"{headers}")
    must((int(headers["X-Image-Width"]), int(headers["X-Image-Bits"])) == (width, bits), f"{headers}")
    answers = {f"/images/{sha}?format=raw": pixels}
    for region, size in (((3, 5, 41, 30), (13, 7)), ((0, 0, width, 9), (17, 2)), ((width - 1, height - 1, 1, 1), (1, 1)),
                         ((width // 3, height // 4, 50, 40), (50, 40))):
        raw = f"/images/{sha}?{query_of(region, size, 'raw')}"
        png = f"/images/{sha}?{query_of(region, size, 'png')}"
        found = officer.good(raw)[1]
        must(found == reduced(pixels, image, region, size), f"{raw}: other pixels")
        headers, body = officer.good(png)
        must(headers["Content-Type"] == "image/png" and "private" in headers["Cache-Control"], f"{headers}")
        must(png_pixels(body) == (*size, bits, found), f"{png}: another picture")
        answers[raw], answers[png] = found, body
    path = f"/images/{sha}?width={max(1, width // 4)}"  # the shape is kept
    headers, body = officer.good(path)
    must(abs(int(headers["X-Image-Height"]) - height * max(1, width // 4) / width) <= 1, f"{headers}")
    answers[path] = body
    return answers


def tags_and_heads(officer, image):
    path = f"/images/{image[0]}?x=1&y=1&w=20&h=10"
    headers, body = officer.good(path)
    status, again, empty = officer.ask(path, If_None_Match=headers["ETag"])
    must((status, again["ETag"], empty) == (304, headers["ETag"], b""), f"{status} {again}")
    other = officer.good(path.replace("x=1&", "x=2&"), If_None_Match=headers["ETag"])[0]
    must(other["ETag"] != headers["ETag"], "another region, the same tag")
    status, head, empty = officer.ask(path, method="HEAD")
    must(status == 200 and empty == b"" and head["Content-Length"] == str(len(body)), f"HEAD: {status} {head}")
    must(head["ETag"] == headers["ETag"], "HEAD has another tag")


def kept_by_the_browser(port, officer, clerk, image):
    """A picture that the browser kept (of another person's session) is looked at again: an access like another, once."""
    path = f"/images/{image[0]}?width=8"
    tag = officer.good(path)[0]["ETag"]
    for _ in range(2):
        must(clerk.ask(path, If_None_Match=tag)[0] == 304, "the picture is sent again")
        accesses(port, image, 2)


def hostile(officer, image):
    sha, width, height, _ = image
    for query, word in (("x=-1", "'x'"), ("x=1e3", "'x'"), ("x=%31%00", "'x'"), ("x=", "'x'"), ("x", "'x'"), ("w=0", "'w'"),
                        ("x=65536", "'x'"), ("x=4294967296", "'x'"), ("w=99999999999999999999", "'w'"), ("x=1&x=1", "twice"),
                        ("x=0x10", "'x'"), ("y=%201", "'y'"), (f"x={width}", "width"), (f"y={height - 1}&h=2", "height"),
                        ("w=4&width=5", "enlarged"), ("h=4&height=5", "enlarged"), ("format=jpeg", "png or raw"),
                        ("zoom=2", "'zoom'"), ("%3Cscript%3E=1", "'?script?'"), ("X=1", "'X'"), ("=1", "''"),
                        ("a" * 3000 + "=1", "a" * 24)):
        status, headers, body = officer.ask(f"/images/{sha}?{query}")
        must(status == 400 and word in body.decode() and len(body) < 200, f"{query[:60]}: {status} {body[:200]}")
        must(headers["X-Content-Type-Options"] == "nosniff" and "text/plain" in headers["Content-Type"], f"{headers}")
    for path, wanted in ((f"/images/{sha[:-1]}", 400), (f"/images/{sha}0", 400), ("/images/", 400), (f"/images/{sha}/", 400),
                         ("/images/" + "g" * 64, 400), ("/images/../../keys/signing.seed", 400), ("/images/" + "0" * 64, 404),
                         ("/images", 404), (f"/image/{sha}", 404)):
        status, _, body = officer.ask(path)
        must(status == wanted, f"{path}: {status} {body[:100]}")
    must(officer.ask(f"/images/{sha}", method="POST")[0] == 405, "POST is taken")
    for query in ("x" * 30000, "&".join(f"p{i}=1" for i in range(2000))):  # more than a connection may hold
        try:
            must(officer.ask(f"/images/{sha}?{query}")[0] in (400, 413, 414, 431), "a request without end is taken")
        except (http.client.HTTPException, OSError):
            pass  # dropped without a word


def accesses(port, image, counted):
    """One entry for each person and image, however closely it was looked at."""
    entries = port.entries("access")
    text = str(entries)
    must(len(entries) == counted, f"{len(entries)} access entries, not {counted}: {text[:800]}")
    must(f"image {image[0]}" in text and "triage at the queue" in text, text[:800])
    must("officer.meyer" not in text, "the log has the name of a person")


def slow_client(port, officer, image):
    """Asks for a whole image and reads nothing: the archiver seals meanwhile, and the console answers."""
    line = socket.socket()
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    line.connect((officer.address.hostname, officer.address.port))
    line.sendall(f"GET /images/{image[0]}?format=raw HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {officer.token}\r\n\r\n".encode())
    must(line.recv(15) == b"HTTP/1.1 200 OK", "no answer to a slow client")
    before = port.health()["sealed"]
    port.ctl("archive", "seal")
    wait_for(lambda: port.health()["sealed"] > before, "nothing is sealed while a viewer reads slowly")
    wait_for(lambda: port.metrics()["triaged_archive_files_total"] >= 1, "no archive file is counted")
    line.close()


def crowd(officer, image):
    """More at a time than are made: each gets the picture, or is told to come again."""
    path = f"/images/{image[0]}?width=64"
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        found = [answer[0] for answer in pool.map(lambda _: officer.ask(path), range(60))]
    must(set(found) <= {200, 503} and found.count(200) >= 2, f"{found}")
    officer.good(path)


def from_sealed(port, officer, answers, picture):
    """Without blobs: the same bytes out of the sealed files."""
    shutil.rmtree(port.store / "blobs" / "sha256")
    for path, body in answers.items():
        headers, found = officer.good(path)
        must(headers["X-Image-From"] == "sealed", f"{path}: from {headers['X-Image-From']}")
        must(found == body, f"{path}: other bytes than from the blob")
    again = port.directory / "again.png"
    port.ctl("show", picture[0], "--png", again)
    must(again.read_bytes() == picture[1].read_bytes(), "show --png draws another picture without blobs")
    part = port.directory / "part.png"
    port.ctl("show", picture[0], "--png", part, "--region", "10,20,64,32", "--size", "16x16")
    must(struct.unpack(">II", part.read_bytes()[16:24]) == (16, 8), "show --region --size has another size")
    for words in (("--region", "1,2,3"), ("--size", "0x5"), ("--region", "1,2,3,4x")):
        must(port.ctl("show", picture[0], "--png", part, *words, check=False).returncode == 2, f"{words} is taken")
    done = port.ctl("show", picture[0], "--png", part, "--region", "0,0,65535,1", check=False)
    must(done.returncode == 1 and "outside" in done.stderr, f"{done}")


def refused_starts(port):
    """Where images could be seen by others, nothing is served at all."""
    port.stop()
    token = port.store / "keys" / "viewers" / "officer.meyer.token"
    token.chmod(0o644)
    port.start(wait=False)
    must(port.daemon.wait(PATIENCE) != 0 and "chmod 600" in port.daemon_log(), "a list that others read is taken")
    token.chmod(0o600)
    text = port.config.read_text().replace("console:\n{", 'console:\n{\n  address = "0.0.0.0";')
    port.config.write_text(text)
    port.start(wait=False)
    must(port.daemon.wait(PATIENCE) != 0 and "loopback" in port.daemon_log(), "images are served to the network")


def main():
    with Port(console__images=True, console__images_max=4) as port:
        officer = viewer(port, "officer.meyer", "triage at the queue")
        other = viewer(port, "screen-2", "second look")
        clerk = viewer(port, "clerk", "triage at the queue")
        must(port.ctl("keys", "viewer", "screen-2", "--purpose", "x", check=False).returncode == 1, "a token is written over")
        port.start()
        port.feed("sim", "--count", "6", "--seed", "4", "--modes", "truck", "--scale", "0.3")
        port.await_judged()
        large = images_of(port)[0]
        image = large[:4]
        strangers(port, image)
        answers = whole_and_parts(officer, image)
        tags_and_heads(officer, image)
        hostile(officer, image)
        accesses(port, image, 1)
        kept_by_the_browser(port, officer, clerk, image)
        other.good(f"/images/{image[0]}?width=8")
        accesses(port, image, 3)
        item = port.state(f"SELECT lower(hex(item)) FROM records WHERE entry = {large[4]}")[0][0]
        picture = (item, port.directory / "first.png")
        port.ctl("show", item, "--png", picture[1])
        crowd(officer, image)
        slow_client(port, officer, image)
        port.await_judged()
        from_sealed(port, officer, answers, picture)
        must(port.metrics()["triaged_images_shown_total"] > 20, "images are not counted")
        report = port.verify()
        must(report, "no report")
        refused_starts(port)
    print("images: good")


try:
    main()
except Failure as failure:
    print(f"FAILED: {failure}", file=sys.stderr)
    sys.exit(1)
