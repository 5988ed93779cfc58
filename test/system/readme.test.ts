import assert from 'node:assert/strict'
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import type { HubFigures } from '#src/hub/hub-figures'
import type { ProcessorFigures } from '#src/processor/processor-figures'
import { startPty } from '#test/support/pty'
import { startRedis, type TestRedis } from '#test/support/redis-server'
import { repositoryFile } from '#test/support/repository'
import { runHub, runProcessor, TestProgram } from '#test/support/test-program'

const readme = readFileSync(repositoryFile('README.md'), 'utf8')
const blocks = (language: string) =>
  [...readme.matchAll(new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, 'gs'))].map(([, text]) => text!)
const commands = blocks('sh').flatMap((block) => block.trim().split('\n'))

/** Each command of the README belongs to one of these; a new kind needs a test of its own. */
const KINDS = {
  script: /^npm (ci|test|run \w+)$/,
  start: /^npm start$/,
  program: /^(?<env>(?:[A-Z_]+=\S+ )*)node dist\/(?<program>hub|processor)\.js(?<args>.*)$/,
  curl: /^curl /,
  push: /^redis-cli RPUSH /,
}

const of = (kind: keyof typeof KINDS) => commands.filter((command) => KINDS[kind].test(command))

/** Runs the command in a shell, with the ports that this test was given. */
async function run(command: string, ports: Readonly<Record<string, number>>): Promise<string> {
  const here = Object.entries(ports).reduce((text, [port, actual]) => text.replace(`:${port}/`, `:${actual}/`), command)
  const { stdout } = await promisify(execFile)('sh', ['-c', here])
  return stdout
}

it('every command of the README is of a kind that is tested', () => {
  assert.ok(commands.length > 8)
  const unknown = commands.filter((command) => !Object.values(KINDS).some((kind) => kind.test(command)))
  assert.deepEqual(unknown, [])
})

it('the scripts of the README exist, and the continuous integration runs them', () => {
  const { scripts } = JSON.parse(readFileSync(repositoryFile('package.json'), 'utf8')) as {
    scripts: Record<string, string>
  }
  const integration = readFileSync(repositoryFile('.ci/run'), 'utf8')
  for (const command of of('script')) {
    const name = /^npm (?:run )?(\w+)/.exec(command)![1]!
    assert.ok(name === 'ci' || scripts[name] !== undefined, command)
    assert.ok(integration.includes(command), `${command} is not run by .ci/run`)
  }
})

it('while npm start runs, every look at it gives an answer', async () => {
  assert.equal(of('start').length, 1)
  const data = await mkdtemp(join(tmpdir(), 'telemetryhub-readme-'))
  const child = spawn(process.execPath, [repositoryFile('dist/start.js'), '--port', '0'], {
    cwd: repositoryFile('.'),
    env: { ...process.env, TELEMETRY_DATA: data, PROCESSOR_PORT: '0' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ports = await portsOf(child)
  const gets = of('curl').filter((command) => !command.includes(' -d '))
  assert.equal(gets.length, 3)
  for (const command of gets) assert.ok((await run(command, ports)).length > 100, command)
  child.kill('SIGINT')
  await once(child, 'exit')
  await rm(data, { recursive: true, force: true })
})

describe('with Redis', () => {
  let redis: TestRedis
  let data: string
  const programs: TestProgram<HubFigures | ProcessorFigures>[] = []
  before(async () => {
    redis = await startRedis()
    data = await mkdtemp(join(tmpdir(), 'telemetryhub-readme-'))
  })
  after(async () => {
    await Promise.all(programs.map((program) => program.kill()))
    await redis.stop()
    await rm(data, { recursive: true, force: true })
  })

  it('the programs start as they stand there, and what is pushed becomes findings', async () => {
    const urls: Record<string, string> = {}
    for (const command of of('program').filter((line) => line.startsWith('REDIS_HOST'))) {
      const { program, env } = KINDS.program.exec(command)!.groups!
      const variables = Object.fromEntries(
        env!
          .trim()
          .split(' ')
          .map((pair) => pair.split('=')),
      )
      const here = { ...variables, REDIS_PORT: String(redis.port), TELEMETRY_DATA: data }
      const started = program === 'hub' ? runHub([], here) : runProcessor([], here)
      programs.push(started as TestProgram<HubFigures | ProcessorFigures>)
      urls[program!] = await started.ready()
    }
    assert.deepEqual(Object.keys(urls), ['hub', 'processor'])
    for (const command of of('push')) {
      assert.equal((await run(command.replace('redis-cli', `redis-cli -p ${redis.port}`), {})).trim(), '1')
    }
    const [post] = of('curl').filter((line) => line.includes(' -d '))
    assert.match(await run(post!, { 8080: Number(new URL(urls.hub!).port) }), /"accepted":2/)
    for (const device of ['sensor_001', 'sensor_002']) await finding(urls.processor!, device)
  })
})

it('the configuration of "Your own sensors" reads a real serial port', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'telemetryhub-readme-'))
  const pty = await startPty()
  const [yaml] = blocks('yaml')
  await writeFile(join(directory, 'hub.yaml'), yaml!.replace('/dev/ttyUSB0', pty.path))
  const [command] = of('program').filter((line) => line.includes('--config'))
  const args = KINDS.program.exec(command!)!.groups!.args!.trim().split(' ')
  const env = { TELEMETRY_DATA: join(directory, 'data') }
  const hub = new TestProgram<HubFigures>('hub.js', [...args, '--port', '0'], env, directory)
  await hub.ready()
  await pty.write('first line may be torn\nt=21.5 h=48\n')
  await hub.reaches('both channels stored', ({ ledger }) => ledger.delivered === 2)
  await hub.stop()
  await pty.unplug()
  await rm(directory, { recursive: true, force: true })
})

/** The ports that `npm start` says it was given, by those that the README names. */
async function portsOf(child: ChildProcess): Promise<Record<string, number>> {
  for await (const line of createInterface({ input: child.stdout! })) {
    const [hub, processor] = [...line.matchAll(/127\.0\.0\.1:(\d+)/g)].map(([, port]) => Number(port))
    if (processor !== undefined) {
      child.stdout!.resume()
      return { 8080: hub!, 9092: processor }
    }
  }
  throw new Error('npm start ended without naming its addresses.')
}

async function finding(url: string, device: string): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    const { findings } = (await (await fetch(`${url}/findings?device=${device}`)).json()) as { findings: unknown[] }
    if (findings.length > 0) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`No finding about ${device}.`)
}
