import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'

/** Devices of the test's small protocol (see `asking-driver`) behind one TCP port. */
export interface TcpUnits {
  readonly port: number
  /** Units that give no answer. */
  readonly dead: Set<number>
  /** Connections made so far. */
  readonly connections: number
  /** Cuts all connections. */
  cut(): void
  close(): Promise<void>
}

/** @param port 0: a free one */
export async function listenAsUnits(port = 0): Promise<TcpUnits> {
  const dead = new Set<number>()
  const sockets = new Set<Socket>()
  let connections = 0
  const server = createServer({ noDelay: true }, (socket) => {
    connections++
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
    socket.on('data', ([unit, command]) => {
      if (!dead.has(unit)) socket.write(Uint8Array.of(unit, command === 0xff ? 100 : unit))
    })
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const cut = () => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    port: (server.address() as AddressInfo).port,
    dead,
    get connections() {
      return connections
    },
    cut,
    async close() {
      cut()
      server.close()
      await once(server, 'close')
    },
  }
}
