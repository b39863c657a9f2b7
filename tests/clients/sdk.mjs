// A client on the TypeScript SDK: calls on stdin, what came of them on stdout, a line each.
//
// Its arguments are the mode of the protocol, and the url of a server with its token in the
// environment, or the command of one.

import { createInterface } from "node:readline";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const packages = createRequire(process.env.PACKAGES + "/");
const load = (name) => import(pathToFileURL(packages.resolve(name)).href);
const { Client, StreamableHTTPClientTransport } = await load("@modelcontextprotocol/client");
const { StdioClientTransport } = await load("@modelcontextprotocol/client/stdio");

const [mode, ...what] = process.argv.slice(2);
const say = (it) => console.log(JSON.stringify(it));
const headers = { Authorization: `Bearer ${process.env.TOKEN}` };
const transport = what[0].startsWith("http")
    ? new StreamableHTTPClientTransport(new URL(what[0]), { requestInit: { headers } })
    : new StdioClientTransport({ command: what[0], args: what.slice(1), env: process.env });
const client = new Client({ name: "a-test", version: "1" }, { versionNegotiation: { mode } });
await client.connect(transport);
say((await client.listTools()).tools.map((tool) => tool.name));
for await (const line of createInterface({ input: process.stdin })) {
    const { tool, arguments: given, is_endless } = JSON.parse(line);
    const options = is_endless ? { timeout: 1500 } : {};
    try {
        const result = await client.callTool({ name: tool, arguments: given }, options);
        say(result.content.map((block) => block.text).join(""));
    } catch (error) {
        say(`not answered: ${error}`);
    }
}
await client.close();
