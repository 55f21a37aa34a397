// Hears OSC with npm's osc over "udp" or "tcp" (SLIP): prints its port, then each message as JSON.
import { createServer } from "node:net";
import osc from "osc";

const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);
const hear = (port) => {
  port.on("message", ({ address, args }) => say([address, ...args]));
  port.on("error", (error) => say(["error", String(error)]));
};

if (process.argv[2] === "udp") {
  const port = new osc.UDPPort({ localAddress: "127.0.0.1", localPort: 0 });
  hear(port);
  port.on("ready", () => say(port.socket.address().port));
  port.open();
} else {
  const server = createServer((socket) => hear(new osc.TCPSocketPort({ socket })));
  server.listen(0, "127.0.0.1", () => say(server.address().port));
}
