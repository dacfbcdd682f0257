"""A peer that dials: takes the ID from the first message, echoes what follows, and tells what it saw."""

import asyncio
import ssl
import sys

import websockets


async def main(url, authority=None):
    context = ssl.create_default_context(cafile=authority) if authority else None
    async with websockets.connect(url, ssl=context, compression=None) as socket:
        connection_id = await socket.recv()
        print("id", connection_id.hex(), flush=True)
        async for message in socket:
            assert isinstance(message, bytes), message
            await socket.send(message)
        print("closed", socket.close_code, flush=True)


asyncio.run(main(*sys.argv[1:]))
