/**
 * Loaded into hub and processors by `--import`, in every thread: failpoints between the steps of the protocol, a trace of
 * refused settlements, and SIGUSR2, which ends the hub's drain workers. The programs themselves know nothing of it.
 *
 * Each thread loads only what is used there anyway: programs must not start later for it.
 */
import { isMainThread } from 'node:worker_threads'

/** In a worker thread: the thread's file. */
const file = process.argv[1] ?? ''
const isProcessor = isMainThread && file.endsWith('processor.js')

if (isMainThread) {
  const { watchWorkers } = await import('./worker-points.js')
  watchWorkers()
}
if (isProcessor || file.endsWith('drain-worker.js')) {
  const { watchRedis } = await import('./redis-points.js')
  watchRedis()
}
if (isProcessor) {
  const { watchRuns } = await import('./run-points.js')
  watchRuns()
}
