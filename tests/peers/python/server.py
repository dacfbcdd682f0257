"""A peer that listens: `server.py [CERTIFICATE KEY]`. It writes `listening PORT` first, names each connection by its first
message, pings once, and then echoes; it closes when it is told "bye". It writes what happens: `id ID`, `pong ID`,
`closed ID CODE`.
"""

import asyncio
import os
import ssl
import sys

import websockets


async def serve(socket):
    connection_id = os.urandom(4)
    await socket.send(connection_id)
    print("id", connection_id.hex(), flush=True)
    await (await socket.ping())
    print("pong", connection_id.hex(), flush=True)
    async for message in socket:
        if message == b"bye":
            break
        await socket.send(message)
    await socket.close()
    print("closed", connection_id.hex(), socket.close_code, flush=True)


async def main(certificate=None, key=None):
    context = None
    if certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate, key)
    async with websockets.serve(serve, "127.0.0.1", 0, ssl=context, compression=None) as server:
        print("listening", server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()


asyncio.run(main(*sys.argv[1:]))
