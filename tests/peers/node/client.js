// A peer that dials: `client.js URL [ISSUER]`. It takes the ID from the first message, pings once, and then echoes; it
// closes when it is told "bye". It writes what happens: `id ID`, `pong`, `closed CODE`.
"use strict";

const { readFileSync } = require("node:fs");
const WebSocket = require("ws");

const [url, issuer] = process.argv.slice(2);
const socket = new WebSocket(url, { ca: issuer && readFileSync(issuer), perMessageDeflate: false });
let id = null;
socket.on("message", (data, isBinary) => {
  if (id === null) {
    id = data.toString("hex");
    console.log("id", id);
    socket.ping();
  } else if (data.toString() === "bye") {
    socket.close(1000);
  } else {
    socket.send(data, { binary: isBinary });
  }
});
socket.on("pong", () => console.log("pong"));
socket.on("close", (code) => console.log("closed", code));
