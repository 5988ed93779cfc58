/** The original's REST paths and bodies, key for key; the figures in them are real here. */
import type { FastifyInstance } from 'fastify'
import type { ReadingFigures } from '../devices/reading-figures.js'
import type { Gateway } from '../gateway.js'
import type { HubFigures } from '../hub-figures.js'
import type { HubMetrics } from '../hub-metrics.js'
import type { SpoolFigures } from '../spool/spool-watch.js'

export interface GatewayRoutesContext {
  gateway: Gateway
  metrics: HubMetrics
  figures(): HubFigures
}

export function addGatewayRoutes(server: FastifyInstance, { gateway, metrics, figures }: GatewayRoutesContext): void {
  server.get('/status', async () => statusBody(gateway, figures()))

  server.get('/health', async (_, reply) => {
    const { problem, ledger, breaker, spool } = figures()
    const status = problem === undefined ? 'ok' : 'degraded'
    const body = { status, problem, in_flight: ledger.inFlight, breaker, spool: spool && spoolBody(spool) }
    return reply.code(problem === undefined ? 200 : 503).send(body)
  })

  server.get('/metrics', async (request, reply) => {
    if (request.headers.accept?.includes('application/json')) return metricsBody(figures())
    return reply.type(metrics.contentType).send(await metrics.render())
  })

  server.post('/start', async () => {
    await gateway.start()
    return { ok: true }
  })

  server.post('/stop', async () => {
    await gateway.stop()
    return { ok: true }
  })

  server.post('/reset', async (_, reply) => {
    switch (await gateway.reset()) {
      case 'reset':
        return { ok: true, message: 'Device reset to Idle' }
      case 'measuring':
        return reply.code(400).send({ error: 'Cannot reset while measuring. Stop gateway first.' })
      default:
        return reply.code(400).send({ ok: false, message: 'Device not in SafeState/Error' })
    }
  })
}

/** `full_in_seconds` is absent while no rate is measured. */
function spoolBody({ summary, samples, sizeBytes, limitBytes, oldestAtSeconds, timeToFullSeconds }: SpoolFigures) {
  return {
    summary,
    samples,
    bytes: sizeBytes,
    limit_bytes: limitBytes,
    oldest: oldestAtSeconds === undefined ? null : new Date(oldestAtSeconds * 1000).toISOString(),
    full_in_seconds: timeToFullSeconds === undefined ? undefined : Math.floor(timeToFullSeconds),
  }
}

function statusBody(gateway: Gateway, { ledger, latest, batches, workers, breaker, spool, clock }: HubFigures) {
  return {
    state: gateway.state,
    latest_sample: latest ? { seq: latest.sequence, value: latest.value, unit: latest.unit } : null,
    metrics: {
      samples_processed: ledger.delivered,
      samples_dropped: ledger.dropped,
      pool_jobs_processed: batches.stored,
      pool_jobs_queued: batches.inFlight,
      pool_num_threads: workers,
    },
    breaker,
    spool: spool && spoolBody(spool),
    clock: {
      summary: clock.summary,
      synchronized: clock.synchronized,
      steps: clock.steps,
      offset_seconds: clock.offsetSeconds,
      holding: clock.isHolding,
    },
    devices: gateway.devices.map((device) => {
      const { name, state, reason, consecutiveFailures } = device.snapshot()
      const { figures } = device
      const body = { name, state, reason, consecutive_failures: consecutiveFailures }
      return figures === undefined ? body : { ...body, ...readingsBody(figures) }
    }),
  }
}

/** Of a device on a bus of the hub. `last_fault` stays when it is over; `fault` is there only while it lasts. */
function readingsBody({ reads, missed, lastSuccessUs, lastFault, fault }: ReadingFigures) {
  const at = (us: number) => new Date(us / 1000).toISOString()
  return {
    readings: reads.get('ok'),
    missed_deadlines: missed,
    last_success: lastSuccessUs === undefined ? null : at(lastSuccessUs),
    fault: fault?.message,
    last_fault: lastFault && { kind: lastFault.fault, message: lastFault.message, at: at(lastFault.atUs) },
  }
}

function metricsBody({ ledger, queueDepth, latencyP99Ms, uptimeSeconds, batches, workers }: HubFigures) {
  return {
    samples_processed: ledger.delivered,
    samples_dropped: ledger.dropped,
    queue_depth: queueDepth,
    latency_p99_ms: latencyP99Ms,
    uptime_seconds: Math.floor(uptimeSeconds),
    thread_pool: {
      jobs_processed: batches.stored,
      jobs_queued: batches.inFlight,
      avg_processing_ms: latencyP99Ms === 0 ? 0 : batches.meanLatencyMs,
      num_threads: workers,
    },
  }
}
