import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { describe, it } from 'node:test'
import { TelemetryError } from '#core/errors/telemetry-error'
import { createHttpServer, type HttpServerOptions, listen } from '#src/host/http-server'
import { createLogger } from '#src/host/logger'

const log = createLogger({ name: 'test', level: 'silent' })
const OPTIONS: HttpServerOptions = { host: '127.0.0.1', port: 0, maxBodyBytes: 1000 }

function serverWith(options: Partial<HttpServerOptions>) {
  const server = createHttpServer({ ...OPTIONS, ...options }, log)
  server.get('/read', async () => ({ ok: true }))
  server.post('/change', async () => ({ ok: true }))
  return server
}

describe('the HTTP server', () => {
  it('asks for the token where state changes, and only there', async () => {
    const server = serverWith({ token: 'secret' })
    const status = async (method: 'GET' | 'POST', url: string, authorization?: string) =>
      (await server.inject({ method, url, headers: authorization ? { authorization } : {} })).statusCode
    assert.equal(await status('GET', '/read'), 200)
    assert.equal(await status('POST', '/change'), 401)
    assert.equal(await status('POST', '/change', 'Bearer wrong!'), 401)
    assert.equal(await status('POST', '/change', 'Bearer secret'), 200)
  })

  it('refuses a foreign Host, as DNS rebinding has it, and a foreign Origin', async () => {
    const server = serverWith({})
    const foreign = await server.inject({ method: 'GET', url: '/read', headers: { host: 'evil.example:8080' } })
    assert.equal(foreign.statusCode, 403)
    const headers = { host: '127.0.0.1:8080', origin: 'http://evil.example' }
    assert.equal((await server.inject({ method: 'POST', url: '/change', headers })).statusCode, 403)
    const own = { host: '127.0.0.1:8080', origin: 'http://127.0.0.1:8080' }
    assert.equal((await server.inject({ method: 'POST', url: '/change', headers: own })).statusCode, 200)
  })

  it('answers 413 to a body over the bound and 404 to unknown paths', async () => {
    const server = serverWith({})
    const payload = { text: 'x'.repeat(2000) }
    assert.equal((await server.inject({ method: 'POST', url: '/change', payload })).statusCode, 413)
    assert.equal((await server.inject({ method: 'GET', url: '/nothing' })).statusCode, 404)
  })

  it('says what to do when the port is in use', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as { port: number }
    const options = { ...OPTIONS, port }
    await assert.rejects(listen(createHttpServer(options, log), options), (error) => {
      assert.ok(error instanceof TelemetryError)
      assert.equal(error.code, 'TLM_PORT_IN_USE')
      assert.match(error.message, new RegExp(`127\\.0\\.0\\.1:${port} is in use.*--port`))
      return true
    })
    other.close()
  })
})
