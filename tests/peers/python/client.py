"""A peer that dials `client.py URL [ISSUER]`. It takes the ID from the first message, pings once, and then echoes; it
closes when it is told "bye". It writes what happens: `id ID`, `pong`, `closed CODE`.
"""

import asyncio
import ssl
import sys

import websockets


async def main(url, issuer=None):
    context = ssl.create_default_context(cafile=issuer) if issuer else None
    async with websockets.connect(url, ssl=context, compression=None) as socket:
        print("id", (await socket.recv()).hex(), flush=True)
        await (await socket.ping())
        print("pong", flush=True)
        async for message in socket:
            if message == b"bye":
                break
            await socket.send(message)
    print("closed", socket.close_code, flush=True)


asyncio.run(main(*sys.argv[1:]))
