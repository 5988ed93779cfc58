import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { TcpProxy } from '#test/support/tcp-proxy'

/** Long enough for bytes that are not held back. */
const QUIET_MS = 150

describe('the TCP proxy of the fault suites', () => {
  let echo: Server
  let proxy: TcpProxy
  const sockets: Socket[] = []
  beforeEach(async () => {
    echo = createServer((socket) => socket.on('error', () => {}).pipe(socket)).listen(0, '127.0.0.1')
    await once(echo, 'listening')
    proxy = await TcpProxy.start((echo.address() as { port: number }).port)
  })
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy()
    await proxy.stop()
    echo.close()
  })

  async function open(): Promise<Socket> {
    const socket = connect(proxy.port, '127.0.0.1').on('error', () => {})
    sockets.push(socket)
    await once(socket, 'connect')
    return socket
  }

  async function echoed(socket: Socket, text: string): Promise<{ text: string; chunks: number; tookMs: number }> {
    const startedMs = performance.now()
    socket.write(text)
    let seen = ''
    let chunks = 0
    for await (const [chunk] of onData(socket)) {
      seen += chunk.toString()
      chunks++
      if (seen.length >= text.length) break
    }
    return { text: seen, chunks, tookMs: performance.now() - startedMs }
  }

  it('carries bytes late in foul weather, in their order, and at once when it has passed', async () => {
    const socket = await open()
    proxy.setWeather({ delayMs: 80, jitterMs: 40 })
    const late = await echoed(socket, 'abcdefgh')
    assert.equal(late.text, 'abcdefgh')
    assert.ok(late.tookMs >= 160, `${late.tookMs} ms for two ways of 80`)
    proxy.setWeather()
    assert.ok((await echoed(socket, 'x')).tookMs < 80)
  })

  it('dribbles where it is narrow', async () => {
    const socket = await open()
    proxy.setWeather({ bytesPerSecond: 500 })
    const { text, chunks, tookMs } = await echoed(socket, 'y'.repeat(100))
    assert.equal(text, 'y'.repeat(100))
    assert.ok(chunks >= 5, `${chunks} chunks`)
    assert.ok(tookMs >= 180, `${tookMs} ms for 100 bytes at 500 a second`)
  })

  it('takes connections into a black hole, and lets only new ones out of it', async () => {
    const before = await open()
    assert.equal((await echoed(before, 'a')).text, 'a')
    proxy.beginBlackHole()
    const inside = await open()
    const silent = [before, inside].map((socket) => once(socket, 'data', { signal: AbortSignal.timeout(QUIET_MS) }))
    before.write('b')
    inside.write('c')
    for (const data of silent) await assert.rejects(data, { name: 'AbortError' })
    proxy.endBlackHole()
    assert.equal((await echoed(await open(), 'd')).text, 'd')
    before.write('e')
    await assert.rejects(once(before, 'data', { signal: AbortSignal.timeout(QUIET_MS) }), { name: 'AbortError' })
  })
})

async function* onData(socket: Socket): AsyncGenerator<[Buffer]> {
  for (;;) yield (await once(socket, 'data')) as [Buffer]
}
