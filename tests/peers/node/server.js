// A peer that listens: `server.js [CERTIFICATE KEY]`. It writes `listening PORT` first, names each connection by its first
// message, pings once, and then echoes; it closes when it is told "bye". It writes what happens: `id ID`, `pong ID`,
// `closed ID CODE`.
"use strict";

const { randomBytes } = require("node:crypto");
const { readFileSync } = require("node:fs");
const http = require("node:http");
const https = require("node:https");
const { WebSocketServer } = require("ws");

const [certificate, key] = process.argv.slice(2);
const server = certificate
  ? https.createServer({ cert: readFileSync(certificate), key: readFileSync(key) })
  : http.createServer();
new WebSocketServer({ server, perMessageDeflate: false }).on("connection", (socket) => {
  const id = randomBytes(4);
  const name = id.toString("hex");
  socket.send(id);
  console.log("id", name);
  socket.ping();
  socket.on("pong", () => console.log("pong", name));
  socket.on("message", (data, isBinary) => {
    if (data.toString() === "bye") socket.close(1000);
    else socket.send(data, { binary: isBinary });
  });
  socket.on("close", (code) => console.log("closed", name, code));
});
server.listen(0, "127.0.0.1", () => console.log("listening", server.address().port));
