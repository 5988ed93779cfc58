/** `/dead-letters`: list, group, show, replay, purge. Whatever changes state is a POST or DELETE, which needs the token. */
import type { FastifyInstance, FastifyReply } from 'fastify'
import { z } from 'zod'
import { flag, integer, number } from '#core/options/fields'
import type { DeadLetterBox, DeadLetterFilter } from '#core/transport/dead-letters'
import { countLetters } from '../dead-letters/letter-count.js'
import { letterDetails, letterJson } from '../dead-letters/letter-details.js'
import { filterSchema, letterIds, listSchema, MAX_PAGE, parseFields } from '../dead-letters/letter-filter.js'
import type { LetterTrials } from '../dead-letters/letter-trial.js'
import { type PurgeResult, purgeLetters } from '../dead-letters/purge.js'
import type { ReplayJob } from '../dead-letters/replay-job.js'
import type { Refusal, ReplayJobs } from '../dead-letters/replay-jobs.js'

export interface DeadLetterRoutesContext {
  /** @throws TLM_STREAM_UNAVAILABLE */
  box(): Promise<DeadLetterBox>
  jobs: ReplayJobs
  trials: LetterTrials
  maxReplays: number
}

const DEFAULT_RATE = 100
const TRIAL_UNDER_WAY = 'Another dry run is running letters through the handlers. Ask again in some seconds.'

const groupsQuery = z.strictObject({ limit: integer(1, MAX_PAGE).default(100) })
const showQuery = z.strictObject({ samples: integer(0, 1000).default(20), raw: flag().default(false) })
const purgeQuery = z.looseObject({ expect: integer(0, 100_000_000).optional(), dryRun: flag().default(false) })

const replayBody = z.strictObject({
  filter: filterSchema.optional(),
  ids: letterIds.optional(),
  dryRun: z.union([z.literal('run'), flag()]).default(false),
  ratePerSecond: number(0.1, 100_000).default(DEFAULT_RATE),
  limit: integer(1, 100_000_000).optional(),
  force: flag().default(false),
})

const purgeBody = z.strictObject({
  filter: filterSchema.optional(),
  ids: letterIds.optional(),
  dryRun: flag().default(false),
  expect: integer(0, 100_000_000).optional(),
})

export function addDeadLetterRoutes(server: FastifyInstance, context: DeadLetterRoutesContext): void {
  addReads(server, context)
  addReplays(server, context)
  addPurges(server, context)
}

function addReads(server: FastifyInstance, { box }: DeadLetterRoutesContext): void {
  server.get('/dead-letters', async (request) => {
    const query = parseFields(listSchema, request.query, 'query')
    const { letters, cursor } = await (await box()).page(query)
    return { letters: letters.map(letterJson), cursor }
  })

  server.get('/dead-letters/groups', async (request) => {
    const { limit } = parseFields(groupsQuery, request.query, 'query')
    const opened = await box()
    const [groups, totals] = await Promise.all([opened.groups(limit), opened.totals()])
    return { groups, totals }
  })

  server.get<{ Params: { id: string } }>('/dead-letters/:id', async (request, reply) => {
    const { samples, raw } = parseFields(showQuery, request.query, 'query')
    const { id } = request.params
    return (await letterDetails(await box(), id, samples, raw)) ?? noLetter(reply, id)
  })
}

function addReplays(server: FastifyInstance, { box, jobs, trials, maxReplays }: DeadLetterRoutesContext): void {
  server.post('/dead-letters/replay', async (request, reply) => {
    const { filter, ids, dryRun, ...wish } = parseFields(replayBody, request.body ?? {}, 'body')
    if ((filter === undefined) === (ids === undefined)) return ambiguous(reply)
    const opened = await box()
    if (ids !== undefined) {
      if (dryRun) return reply.code(422).send({ error: 'dryRun: only with a filter; show tells what an id is.' })
      const outcomes = await opened.replay(ids, wish.force ? undefined : maxReplays)
      return { outcomes: ids.map((id, i) => ({ id, outcome: outcomes[i] })) }
    }
    if (dryRun !== false) {
      const trial = dryRun === 'run' ? await trials.run(opened, filter as DeadLetterFilter) : undefined
      if (dryRun === 'run' && trial === undefined) return reply.code(409).send({ error: TRIAL_UNDER_WAY })
      return { dryRun: true, found: await countLetters(opened, filter as DeadLetterFilter, maxReplays), trial }
    }
    return begun(reply, await jobs.start(opened, { filter: filter as DeadLetterFilter, ...wish }))
  })

  server.get('/dead-letters/jobs', async () => ({ jobs: await jobs.list(await box()) }))

  server.get<{ Params: { id: string } }>('/dead-letters/jobs/:id', async (request, reply) => {
    const { id } = request.params
    return (await jobs.find(await box(), id)) ?? noJob(reply, id)
  })

  server.post<{ Params: { id: string } }>('/dead-letters/jobs/:id/abort', async (request, reply) => {
    const { id } = request.params
    const opened = await box()
    if (!(await jobs.abort(opened, id))) return noJob(reply, id)
    return jobs.find(opened, id)
  })

  server.post<{ Params: { id: string } }>('/dead-letters/jobs/:id/resume', async (request, reply) => {
    const { id } = request.params
    const job = await jobs.resume(await box(), id)
    return job === undefined ? noJob(reply, id) : begun(reply, job)
  })
}

function addPurges(server: FastifyInstance, { box }: DeadLetterRoutesContext): void {
  server.post('/dead-letters/purge', async (request, reply) => {
    const { filter, ids, dryRun, expect } = parseFields(purgeBody, request.body ?? {}, 'body')
    if ((filter === undefined) === (ids === undefined)) return ambiguous(reply)
    if (ids !== undefined) return { purged: await (await box()).purge(ids) }
    return purge(reply, await box(), filter as DeadLetterFilter, dryRun, expect)
  })

  server.delete('/dead-letters', async (request, reply) => {
    const { expect, dryRun, ...fields } = parseFields(purgeQuery, request.query, 'query')
    return purge(reply, await box(), parseFields(filterSchema, fields, 'query'), dryRun, expect)
  })

  server.delete<{ Params: { id: string } }>('/dead-letters/:id', async (request, reply) => {
    const { id } = request.params
    return (await (await box()).purge([id])) === 1 ? { purged: 1 } : noLetter(reply, id)
  })
}

async function purge(
  reply: FastifyReply,
  box: DeadLetterBox,
  filter: DeadLetterFilter,
  dryRun: boolean,
  expect: number | undefined,
) {
  if (!dryRun && expect === undefined) {
    return reply.code(422).send({ error: 'expect: say how many letters you expect to purge, or dryRun to count them.' })
  }
  const result = await purgeLetters(box, filter, dryRun ? undefined : expect)
  return result.kind === 'other-count'
    ? reply.code(409).send({ error: otherCount(result), found: result.found })
    : result
}

function otherCount({ expected, found }: Extract<PurgeResult, { kind: 'other-count' }>): string {
  return `The filter finds ${found.letters} letters, not ${expected}: nothing was purged.`
}

function begun(reply: FastifyReply, job: ReplayJob | Refusal) {
  return 'refused' in job ? reply.code(409).send({ error: job.refused }) : reply.code(202).send(job.record)
}

function ambiguous(reply: FastifyReply): FastifyReply {
  return reply.code(422).send({ error: 'body: give a filter ({} for all letters) or ids, not both and not neither.' })
}

function noLetter(reply: FastifyReply, id: string): FastifyReply {
  return reply.code(404).send({ error: `No dead letter ${id.slice(0, 60)}, any more.` })
}

function noJob(reply: FastifyReply, id: string): FastifyReply {
  return reply.code(404).send({ error: `No replay ${id.slice(0, 60)}.` })
}
