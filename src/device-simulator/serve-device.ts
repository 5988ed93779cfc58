import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import type { Readable, Writable } from 'node:stream'
import type { VirtualLineDevice } from '../hub/drivers/contract/virtual-device.js'

/** Joins a device with a pair of streams until the input ends. */
export async function serveDevice(device: VirtualLineDevice, input: Readable, output: Writable): Promise<void> {
  const every = (ms: number, act: () => void) => {
    const timer = setInterval(act, ms)
    return () => clearInterval(timer)
  }
  // A serial line waits for nobody: what the other side does not take is lost, not kept.
  const send = (bytes: Uint8Array) => {
    if (!output.destroyed && !output.writableNeedDrain) output.write(bytes)
  }
  // Who leaves while it is talked to is gone, which `input` tells too.
  output.on('error', () => {})
  device.connect(send, every)
  try {
    for await (const chunk of input) device.receive(chunk as Buffer)
  } catch {
    // The line was cut: the device stays as it is.
  } finally {
    device.disconnect()
  }
}

/** Serves one connection after another on loopback; others wait. @returns the port */
export async function serveOverTcp(device: VirtualLineDevice, port: number): Promise<number> {
  let last: Promise<void> = Promise.resolve()
  const server = createServer({ pauseOnConnect: true }, (socket: Socket) => {
    last = last.then(() => serveDevice(device, socket, socket)).then(() => void socket.destroy())
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}
