// npm's ws with samples/websocket.lua, whose port is the argument.
const assert = require("assert")
const { once } = require("events")
const WebSocket = require("../../build/ws/node_modules/ws")

const url = `ws://127.0.0.1:${process.argv[2]}/echo`

async function open(options) {
  const socket = new WebSocket(url, options)
  await once(socket, "open")
  return socket
}

async function ask(socket, data) {
  socket.send(data)
  const [answer, isBinary] = await once(socket, "message")
  assert.strictEqual(isBinary, typeof data != "string")
  assert(Buffer.from(data).equals(answer), `${data.length} bytes came back as others`)
}

async function close(socket, code, reason) {
  socket.close(code, reason)
  return (await once(socket, "close"))[0]
}

async function main() {
  const socket = await open()
  for (const size of [0, 1, 125, 126, 65535, 65536, 3000000]) {
    await ask(socket, Buffer.alloc(size, "0123456789"))
    await ask(socket, "\u4e16".repeat(size / 3))
  }
  socket.send("in ", { fin: false })
  socket.ping("hello")
  assert.strictEqual((await once(socket, "pong"))[0].toString(), "hello")
  socket.send("two pieces")
  assert.strictEqual((await once(socket, "message"))[0].toString(), "in two pieces")
  assert.strictEqual(await close(socket, 4321, "goodbye"), 4321)
  assert.strictEqual(await close(await open()), 1005)

  const large = await open({ perMessageDeflate: false })
  large.on("error", () => {}) // the rest of it cannot be sent
  large.send(Buffer.alloc(16777217))
  assert.strictEqual((await once(large, "close"))[0], 1009)

  const many = await Promise.all(Array.from({ length: 100 }, () => open()))
  await Promise.all(many.map((each, i) => ask(each, `socket ${i}`)))
  await Promise.all(many.map(each => close(each, 1000)))
  console.log("all is well")
}

main().catch(problem => {
  console.log(problem)
  process.exit(1)
})
