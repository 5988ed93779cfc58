/** The hub's options: what a file, the environment and flags may say, and what they become. */
import { hostname } from 'node:os'
import { z } from 'zod'
import { TelemetryError } from '#core/errors/telemetry-error'
import { type ConfigSource, isTree } from '#core/options/config-source'
import { byteSize, durationMs, flag, integer, oneOf, text } from '#core/options/fields'
import { isLoopback } from '../../host/http-access.js'
import { checkSources, type ProgramSpec, readSources } from '../../host/program-options.js'
import {
  chooseStore,
  httpSchema,
  logSchema,
  redisSchema,
  requireTokenBeyondLoopback,
  STORE_ENV,
  STORE_FLAGS,
  type Store,
  storeSchema,
} from '../../host/store-options.js'
import { driver as sim } from '../drivers/sim/driver.js'
import { SHEDDING_STEPS, type SheddingOptions } from '../intake/shedding-ladder.js'
import { type SpoolSettings, spoolSchema, spoolSettings } from '../spool/spool-settings.js'
import { everyOf } from './bus-cadence.js'
import { type PlacedDevice, placementProblems } from './bus-conflicts.js'
import { type Buses, busesSchema, readBuses } from './bus-schemas.js'
import { type Drivers, loadDrivers } from './driver-catalogue.js'
import { type DeviceConfig, devicesSchema, issueOf } from './driver-schemas.js'

/** What is done with each class at one level of pressure. */
const stepsSchema = z
  .strictObject({
    high: oneOf(...SHEDDING_STEPS).default('pass'),
    normal: oneOf(...SHEDDING_STEPS).default('pass'),
    low: oneOf(...SHEDDING_STEPS).default('pass'),
  })
  .prefault({})

const hubFields = {
  version: integer(1, 1).default(1),
  gateway: z
    .strictObject({
      id: text(64).optional(),
      sampling_interval_ms: integer(1, 3_600_000).default(100),
      /** The original's queue length; 0 meant "unbounded". */
      queue_size: integer(0, 2 ** 24).default(0),
      /** Whether samples may be kept on this machine; the seed's. Needed when they do not go to Redis. */
      local_storage: flag().default(true),
      /** `false`: not to Redis, whatever the redis section says; the seed's. */
      redis_publish: flag().default(true),
      task_type: text(64).default('telemetry.analyze'),
    })
    .prefault({}),
  redis: redisSchema,
  store: storeSchema,
  ring: z
    .strictObject({
      slots: integer(64, 2 ** 24).optional(),
      raw_bytes: byteSize(4096, 2 ** 28).default(2 ** 20),
      workers: integer(1, 16).default(1),
    })
    .prefault({}),
  batch: z
    .strictObject({
      max_samples: integer(1, 65_536).default(4096),
      max_bytes: byteSize(512, 2 ** 22).default(65_300),
      max_age_ms: durationMs(0, 60_000).default(2),
      in_flight: integer(1, 64).default(8),
    })
    .prefault({}),
  spool: spoolSchema,
  overflow: oneOf('refuse-newest', 'slow-driver').default('refuse-newest'),
  backpressure: z
    .strictObject({ amber: stepsSchema, red: stepsSchema, keep_one_in: integer(2, 10_000).default(10) })
    .prefault({}),
  max_series: integer(1, 2 ** 20).default(65_536),
  http: httpSchema(8080),
  log: logSchema,
}

/** The whole file. `drivers`: those that it names. */
function hubSchema(drivers: Drivers, buses: Buses) {
  const whole = z.strictObject({ ...hubFields, buses: busesSchema, devices: devicesSchema(drivers, buses) })
  return whole.superRefine(({ devices, gateway }, context) => {
    const placed = placedDevices(devices, gateway.sampling_interval_ms)
    for (const problem of placementProblems(placed, buses)) context.addIssue(issueOf(problem))
  })
}

function placedDevices(devices: Readonly<Record<string, DeviceConfig>>, everyMs: number): PlacedDevice[] {
  return Object.entries(devices).flatMap(([name, { driver, device, options, place }]) => {
    if (driver.kind === 'source' || place === undefined) return []
    return [{ name, driver, options, place, everyMs: everyOf(driver, options, device.every, everyMs) }]
  })
}

const HUB_SPEC: ProgramSpec = {
  name: 'hub',
  summary: 'Reads sensors and stores their samples for the processors. Without devices it simulates one.',
  flags: STORE_FLAGS,
  env: [
    ...STORE_ENV,
    { name: 'NUM_WORKERS', path: ['ring', 'workers'] },
    { name: 'HUB_PORT', path: ['http', 'port'] },
    { name: 'HUB_ID', path: ['gateway', 'id'] },
    { name: 'SPOOL_DIR', path: ['spool', 'dir'] },
    { name: 'SAMPLING_INTERVAL_MS', path: ['gateway', 'sampling_interval_ms'] },
  ],
  iniAliases: {
    sampling_interval_ms: ['gateway', 'sampling_interval_ms'],
    queue_size: ['gateway', 'queue_size'],
    log_level: ['log', 'level'],
  },
  iniSections: { device: 'devices', bus: 'buses' },
}

export interface HubOptions {
  id: string
  store: Store
  publish: { mode: 'stream' } | { mode: 'list'; taskType: string }
  ring: { slots: number; rawBytes: number; workers: number }
  batch: { maxSamples: number; maxBytes: number; maxAgeMs: number; maxInFlight: number }
  /** Absent: without. Only batches to Redis are spooled: the embedded store is on this disk itself. */
  spool: SpoolSettings | undefined
  overflow: 'refuse-newest' | 'slow-driver'
  backpressure: SheddingOptions
  maxSeries: number
  /** Between readings of a device that does not say. Milliseconds. */
  everyMs: number
  devices: Readonly<Record<string, DeviceConfig>>
  http: { host: string; port: number; token?: string | undefined }
  log: z.output<typeof logSchema>
  /** Things worth saying once at the start. */
  notes: readonly string[]
}

/** 32 MiB: a second of a million samples a second, hours of a few sensors. */
const DEFAULT_SLOTS = 2 ** 20

/**
 * Reads flags, environment and file, and loads the drivers that they name.
 *
 * @throws TLM_OPTIONS_INVALID
 */
export async function readHubOptions(argv: readonly string[], env: Readonly<Record<string, string | undefined>>) {
  const given = readSources(HUB_SPEC, argv, env)
  if (given.kind === 'print') return given
  const drivers = await loadDrivers(driverNames(given.sources), given.configFile)
  const command = checkSources(hubSchema(drivers, readBuses(given.sources)), given.sources)
  return command.kind === 'print' ? command : { ...command, options: resolve(command.options) }
}

/** The drivers of all devices, as far as what is written can be read. */
function driverNames(sources: readonly ConfigSource[]): string[] {
  const devices = sources.map(({ values }) => values.devices).filter(isTree)
  const named = devices.flatMap((tree) => Object.values(tree)).filter(isTree)
  return named.map(({ driver }) => driver).filter((name) => typeof name === 'string')
}

type RawOptions = z.output<ReturnType<typeof hubSchema>>

function resolve(raw: RawOptions): HubOptions {
  requireTokenBeyondLoopback(raw.http, isLoopback(raw.http.host))
  const notes: string[] = []
  const store = chooseStore({ ...raw.redis, enabled: raw.gateway.redis_publish ? raw.redis.enabled : false }, raw.store)
  if (store.kind === 'embedded' && !raw.gateway.local_storage) {
    const fix = 'Fix: set it to true, or let samples go to Redis (gateway.redis_publish, redis.host).'
    throw new TelemetryError('TLM_OPTIONS_INVALID', `gateway.local_storage is false and Redis is not used. ${fix}`)
  }
  const isList = raw.redis.mode === 'list' && store.kind === 'redis'
  if (raw.redis.mode === 'list' && !isList) notes.push('redis.mode list needs Redis: batches go to the embedded store')
  const hasSpool = store.kind === 'redis' && !isList && raw.gateway.local_storage && raw.spool.enabled
  return {
    id: raw.gateway.id ?? hostname().slice(0, 64),
    store,
    publish: isList ? { mode: 'list', taskType: raw.gateway.task_type } : { mode: 'stream' },
    ring: { slots: slotsOf(raw), rawBytes: raw.ring.raw_bytes, workers: raw.ring.workers },
    batch: {
      maxSamples: raw.batch.max_samples,
      maxBytes: raw.batch.max_bytes,
      maxAgeMs: raw.batch.max_age_ms,
      maxInFlight: raw.batch.in_flight,
    },
    spool: hasSpool ? spoolSettings(raw.spool, raw.store.directory) : undefined,
    overflow: raw.overflow,
    backpressure: {
      amber: raw.backpressure.amber,
      red: raw.backpressure.red,
      keepOneIn: raw.backpressure.keep_one_in,
    },
    maxSeries: raw.max_series,
    everyMs: raw.gateway.sampling_interval_ms,
    devices: devicesOf(raw.devices),
    http: raw.http,
    log: raw.log,
    notes,
  }
}

/** Slots are a power of two: the next one above what was asked for. */
function slotsOf({ ring, gateway }: RawOptions): number {
  const wanted = ring.slots ?? (gateway.queue_size === 0 ? DEFAULT_SLOTS : gateway.queue_size)
  return 2 ** Math.ceil(Math.log2(Math.max(64, wanted)))
}

/** Without devices there is one simulated one, as the original had. */
function devicesOf(devices: Record<string, DeviceConfig>): Record<string, DeviceConfig> {
  if (Object.keys(devices).length > 0) return devices
  return { sim: { driver: sim, device: { priority: 'normal' }, options: {} } }
}
