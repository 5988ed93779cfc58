import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openBatchProducer, openBatchStream, openBatchTracer, openDeadLetterBox } from '#src/embedded/embedded-stream'
import { testDeadLetters } from '#test/conformance/dead-letter-suite'

testDeadLetters('dead letters of the embedded store', async (deadLetters) => {
  const directory = mkdtempSync(join(tmpdir(), 'embedded-store-'))
  const options = { directory, deadLetters }
  return {
    openProducer: (shards) => openBatchProducer({ ...options, shards }),
    openStream: (holder, shards) => openBatchStream({ ...options, shards }, holder),
    openDeadLetterBox: (shards) => openDeadLetterBox({ ...options, shards }),
    openBatchTracer: (shards) => openBatchTracer({ ...options, shards }),
    remove: async () => rmSync(directory, { recursive: true }),
  }
})
