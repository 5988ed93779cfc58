/** `node dist/hub.js record`: the bytes of devices into a file, to be decoded again at will. */
import { open } from 'node:fs/promises'
import { messageOf, TelemetryError } from '#core/errors/telemetry-error'
import { byteSize } from '#core/options/fields'
import { systemClock } from '#core/time/clock'
import type { Acquisition } from '../../hub/devices/observation.js'
import type { RecorderDump } from '../../hub/recorder/flight-recorder.js'
import { recordedLine, recordingHeader } from '../../hub/recorder/recording-format.js'
import { type CommandContext, EXIT, type ExitCode, writeJson } from '../command-context.js'
import { type CommandFlag, flagLines, parseCommandLine } from '../command-line.js'
import { counted, size } from '../terminal.js'
import { askHub, explainBusy } from './running-hub.js'
import { durationOf } from './trace-command.js'
import { DEVICE_FLAGS, optionsWith, wantedDevices } from './wanted-device.js'
import { watchDevices } from './watched-device.js'

const FLAGS: readonly CommandFlag[] = [
  { name: 'out', value: 'FILE', help: 'the recording; must not be there yet' },
  { name: 'for', value: '10m', help: 'end after so long; else with Ctrl-C' },
  { name: 'max', value: '64MiB', help: 'end when the file is so large (64MiB)' },
  { name: 'from-hub', help: 'have the running hub write its flight recorder into a file' },
  ...DEVICE_FLAGS,
  { name: 'json', help: 'JSON, for programs' },
]

const HELP = `node dist/hub.js record DEVICE... --out FILE [flags]
node dist/hub.js record --from-hub [flags]

Records what devices send, byte for byte, with what decodes it: hub replay FILE gives the values again.
The devices must be free; while a hub runs, take its flight recorder (recorder.keep in its configuration).

${flagLines(FLAGS)}
Exit code: 0 recorded, 1 a device was lost or no hub answers, 2 the command line or the configuration is wrong.
`

const DEFAULT_MAX_BYTES = 64 * 2 ** 20

export async function runRecord(argv: readonly string[], context: CommandContext): Promise<ExitCode> {
  const line = parseCommandLine(argv, FLAGS, 'See node dist/hub.js record --help.')
  const { positionals, values, programArgs } = line
  if (values.help === true) {
    context.out.write(HELP)
    return EXIT.ok
  }
  if (values['from-hub'] === true) {
    const { http } = await optionsWith(programArgs, context.env)
    const dump = (await (await askHub(http, 'POST', '/recorder/dump')).json()) as RecorderDump
    tell(dump, values.json === true, context)
    return EXIT.ok
  }
  if (typeof values.out !== 'string') {
    throw new TelemetryError('TLM_OPTIONS_INVALID', 'record: where to? Give --out FILE.')
  }
  const forMs = values.for === undefined ? undefined : durationOf('for', values.for)
  const maxBytes = values.max === undefined ? DEFAULT_MAX_BYTES : bytesOf(values.max)
  const { devices, hub } = await wantedDevices(positionals, line, context)
  const silent = devices.find(({ config }) => config.driver.kind === 'source')
  if (silent !== undefined) {
    const text = `${silent.name} (${silent.config.driver.manifest.name}) has no bytes to record: keep_raw, or the replay driver, are for it.`
    throw new TelemetryError('TLM_OPTIONS_INVALID', text)
  }
  const end = new AbortController()
  const timer = forMs === undefined ? undefined : setTimeout(() => end.abort(), forMs)
  const file = await RecordingFile.create(values.out, maxBytes, () => end.abort())
  try {
    const configs = Object.fromEntries(devices.map(({ name, config }) => [name, config]))
    file.append(recordingHeader(configs, systemClock.nowUs()))
    const signal = AbortSignal.any([context.signal, end.signal])
    await watchDevices(devices, { everyMs: hub.everyMs, signal, observer: file }).catch(async (error) => {
      throw await explainBusy(error, hub.http, devices[0]!.name)
    })
  } finally {
    clearTimeout(timer)
    await file.close()
  }
  tell({ file: values.out, records: file.records, bytes: file.bytes }, values.json === true, context)
  return file.records > 0 ? EXIT.ok : EXIT.failed
}

/** Lines are handed to the kernel one after the other: what a crash tears is the last one at most. */
class RecordingFile {
  records = 0
  bytes = 0
  readonly #handle: Awaited<ReturnType<typeof open>>
  readonly #maxBytes: number
  readonly #onEnd: () => void
  readonly #setups = new Map<string, Uint8Array>()
  #written: Promise<void> = Promise.resolve()
  #problem: unknown

  private constructor(handle: Awaited<ReturnType<typeof open>>, maxBytes: number, onEnd: () => void) {
    this.#handle = handle
    this.#maxBytes = maxBytes
    this.#onEnd = onEnd
  }

  /** @param onEnd it is full, or the disk is @throws TLM_OPTIONS_INVALID it is there already, or cannot be made */
  static async create(path: string, maxBytes: number, onEnd: () => void): Promise<RecordingFile> {
    try {
      return new RecordingFile(await open(path, 'wx'), maxBytes, onEnd)
    } catch (error) {
      const isThere = (error as NodeJS.ErrnoException).code === 'EEXIST'
      const why = isThere ? 'is there already: give another name' : `cannot be made: ${messageOf(error)}`
      throw new TelemetryError('TLM_OPTIONS_INVALID', `--out ${path} ${why}.`)
    }
  }

  acquisition(acquisition: Acquisition): void {
    if (this.bytes >= this.#maxBytes) return
    const { device, setup } = acquisition
    const before = this.#setups.get(device)
    const isSame = before !== undefined && Buffer.compare(before, setup) === 0
    this.#setups.set(device, setup)
    this.append(recordedLine(acquisition, !isSame))
    this.records++
    if (this.bytes >= this.#maxBytes) this.#onEnd()
  }

  append(line: unknown): void {
    const text = `${JSON.stringify(line)}\n`
    this.bytes += Buffer.byteLength(text)
    this.#written = this.#written.then(async () => {
      if (this.#problem !== undefined) return
      await this.#handle.appendFile(text).catch((error: unknown) => {
        this.#problem = error
        this.#onEnd()
      })
    })
  }

  /** @throws the error of the file system when the disk did not take all of it */
  async close(): Promise<void> {
    await this.#written
    await this.#handle.close()
    if (this.#problem !== undefined) throw this.#problem
  }
}

function tell(dump: RecorderDump, isJson: boolean, context: CommandContext): void {
  if (isJson) writeJson(context, dump)
  else context.out.write(`${dump.file}: ${counted(dump.records, 'record')}, ${size(dump.bytes)}\n`)
}

function bytesOf(written: string | boolean): number {
  const { data } = byteSize(1024, 2 ** 40).safeParse(written)
  if (data !== undefined) return data
  throw new TelemetryError('TLM_OPTIONS_INVALID', `--max must be a size such as 64MiB, not "${written}".`)
}
