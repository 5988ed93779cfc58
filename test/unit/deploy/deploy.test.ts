import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { parse } from 'yaml'
import { readHubOptions } from '#src/hub/config/hub-options'
import { readProcessorOptions } from '#src/processor/config/processor-options'
import { repositoryFile } from '#test/support/repository'

interface Service {
  command?: string
  build?: { target: string }
  environment?: Record<string, string>
  ports?: string[]
  deploy?: { replicas: number }
}

const read = (file: string) => readFileSync(repositoryFile(file), 'utf8')
const compose = parse(read('deploy/compose.yaml'), { merge: true }) as { services: Record<string, Service> }
const dockerfile = read('Dockerfile')

describe('the compose file', () => {
  const { redis, hub, processor } = compose.services

  it('runs a Redis that never evicts and keeps what it acknowledged', () => {
    assert.match(redis!.command!, /--maxmemory-policy noeviction/)
    assert.match(redis!.command!, /--appendonly yes/)
  })

  it('builds targets that the Dockerfile has', () => {
    for (const { build } of [hub!, processor!]) assert.match(dockerfile, new RegExp(`AS ${build!.target}$`, 'm'))
  })

  it('sets only variables that the programs know, to values that they accept', async () => {
    const env = { ...hub!.environment, HTTP_HOST: '0.0.0.0', HTTP_TOKEN: 'secret' }
    const known = (text: string, name: string) => assert.match(text, new RegExp(`^ +${name} `, 'm'))
    for (const [service, options] of [
      [hub!, readHubOptions],
      [processor!, readProcessorOptions],
    ] as const) {
      const help = await options(['--help'], {})
      assert.equal(help.kind, 'print')
      for (const name of Object.keys(service.environment!)) known((help as { text: string }).text, name)
      assert.equal((await options([], { ...env, ...service.environment, HTTP_TOKEN: 'secret' })).kind, 'run')
    }
  })

  it('shows the host nothing but loopback ports', () => {
    const ports = Object.values(compose.services).flatMap(({ ports = [] }) => ports)
    assert.ok(ports.length > 0 && ports.every((port) => port.startsWith('127.0.0.1:')), ports.join(' '))
  })

  it('runs the processor twice', () => assert.equal(processor!.deploy!.replicas, 2))
})

describe('the images', () => {
  it('run as a user without rights', () => {
    const runtime = dockerfile.slice(dockerfile.indexOf('AS runtime'), dockerfile.indexOf('FROM runtime AS hub'))
    assert.match(runtime, /^USER node$/m)
    assert.doesNotMatch(dockerfile.slice(dockerfile.indexOf('FROM runtime AS hub')), /^USER root/m)
  })

  it('copy only what is there, and start programs that exist', () => {
    for (const program of ['hub', 'processor']) {
      assert.match(dockerfile, new RegExp(`ENTRYPOINT \\["node", "dist/${program}.js"\\]`))
      assert.ok(read(`src/${program}.ts`).length > 0)
    }
  })
})
