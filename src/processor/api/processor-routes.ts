/** What the processor's REST API tells of its work; the dead letters have routes of their own. */
import type { FastifyInstance } from 'fastify'
import type { ProcessorFigures } from '../processor-figures.js'
import type { Health } from '../processor-health.js'
import type { ProcessorMetrics } from '../processor-metrics.js'
import type { SinkReader } from '../sinks/sink-reader.js'
import { readFindingQuery, readSampleQuery } from './query-options.js'

export interface ProcessorRoutesContext {
  metrics: ProcessorMetrics
  reader: SinkReader
  figures(): ProcessorFigures
  health(): Health
  /** The latency distribution as an `.hgrm` text. */
  latency(): string
}

export function addProcessorRoutes(server: FastifyInstance, context: ProcessorRoutesContext): void {
  const { metrics, reader, figures, health, latency } = context

  server.get('/health', async (_, reply) => {
    const state = health()
    return reply.code(state.status === 'ok' ? 200 : 503).send(state)
  })

  server.get('/status', async () => figures())

  server.get('/metrics', async (_, reply) => reply.type(metrics.contentType).send(await metrics.render()))

  server.get('/latency', async (_, reply) => reply.type('text/plain; charset=utf-8').send(latency()))

  server.get('/findings', async (request) => ({ findings: await reader.findings(readFindingQuery(request.query)) }))

  server.get('/samples', async (request) => ({ samples: await reader.samples(readSampleQuery(request.query)) }))
}
