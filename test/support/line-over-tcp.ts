import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { after } from 'node:test'
import { serveDevice } from '#src/device-simulator/serve-device'
import type { VirtualLineDevice } from '#src/hub/drivers/contract/virtual-device'

/** Serves a virtual device to one connection after another, until the suite has ended. @returns the port on 127.0.0.1 */
export async function lineOverTcp(device: VirtualLineDevice): Promise<number> {
  const sockets = new Set<Socket>()
  let last: Promise<void> = Promise.resolve()
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    last = last.then(() => serveDevice(device, socket, socket)).then(() => void socket.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return (server.address() as AddressInfo).port
}
