/** Batches as columnar msgpack, versioned: `docs/protocol.md`, "Batch format". */
export { BatchDecoder } from './batch-decoder.js'
export { BatchEncoder, type EncodedBatch } from './batch-encoder.js'
export { BATCH_VERSION, MAX_BATCH_SAMPLES, type UnreadableClass } from './batch-wire.js'
