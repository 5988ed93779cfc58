import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openBatchProducer, openBatchStream } from '#src/embedded/embedded-stream'
import { testBatchStream } from '#test/conformance/batch-stream-suite'

testBatchStream('embedded store', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'embedded-store-'))
  return {
    openProducer: (shards) => openBatchProducer({ directory, shards }),
    openStream: (holder, shards) => openBatchStream({ directory, shards }, holder),
    remove: async () => rmSync(directory, { recursive: true }),
  }
})

testBatchStream('embedded store with tiny segments', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'embedded-store-'))
  return {
    openProducer: (shards) => openBatchProducer({ directory, shards, segmentBytes: 4096 }),
    openStream: (holder, shards) => openBatchStream({ directory, shards, segmentBytes: 4096 }, holder),
    remove: async () => rmSync(directory, { recursive: true }),
  }
})
