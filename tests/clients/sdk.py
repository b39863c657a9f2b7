"""A client on the Python SDK: calls on stdin, what came of them on stdout, a line each.

Its arguments are the mode of the protocol, and the url of a server with its token in the
environment, or the command of one."""

import asyncio
import json
import os
import sys

import httpx2
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client


def server(mode, what):
    if not what[0].startswith("http"):
        return StdioServerParameters(command=what[0], args=what[1:], env=dict(os.environ))
    headers = {"Authorization": "Bearer " + os.environ["TOKEN"]}
    return streamable_http_client(what[0], http_client=httpx2.AsyncClient(headers=headers, timeout=60))


async def main(mode, *what):
    async with Client(server(mode, what), mode=mode) as client:
        listed = await client.list_tools()
        say([tool.name for tool in listed.tools])
        # The client has things to do meanwhile.
        while line := await asyncio.to_thread(sys.stdin.readline):
            call = json.loads(line)
            try:
                result = await asyncio.wait_for(
                    client.call_tool(call["tool"], call["arguments"]),
                    1.5 if call["is_endless"] else None,
                )
                say("".join(block.text for block in result.content))
            except Exception as error:
                say(f"not answered: {type(error).__name__}: {error}")


def say(what):
    print(json.dumps(what), flush=True)


asyncio.run(main(*sys.argv[1:]))
