"""The Autobahn cases, all but those for compression: `autobahn.py client URL` runs them against a server, and
`autobahn.py server` serves them, once it has written `listening PORT`. In the end comes one line for each case:
`case ID BEHAVIOUR CLOSE`, with `-` for spaces, followed by what was wrong.
"""

import asyncio
import sys

from kosoku import FailureError, run_fuzzingclient, run_fuzzingserver

COMPRESSION = ["12.*", "13.*"]


async def run(role, *arguments):
    if role == "client":
        return await run_fuzzingclient(*arguments, exclude_cases=COMPRESSION)
    async with run_fuzzingserver(exclude_cases=COMPRESSION, host="127.0.0.1", port=0) as server:
        print("listening", server.port, flush=True)
        return await server.get_result()


async def main():
    try:
        results = await run(*sys.argv[1:])
    except FailureError as failure:
        results = failure.results
    for result in results:
        verdicts = [verdict.value.replace(" ", "-") for verdict in (result.behavior, result.behavior_close)]
        why = [] if result.passed else [result.result, result.result_close, f"received {str(result.received)[:300]}"]
        print("case", result.case_id, *verdicts, *why, flush=True)


asyncio.run(main())
