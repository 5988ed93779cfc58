import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { openBatchProducer, openBatchStream, openPressureSignal } from '#src/embedded/embedded-stream'
import { testBatchStream } from '#test/conformance/batch-stream-suite'
import { testPressureSignal } from '#test/conformance/pressure-suite'

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

const directory = mkdtempSync(join(tmpdir(), 'embedded-store-'))
after(() => rmSync(directory, { recursive: true }))
testPressureSignal('embedded store', () => openPressureSignal({ directory, shards: 1 }))
