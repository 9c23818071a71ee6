// The main thread's side of the backend: starts the worker, lends it to one client at a
// time in the order they asked, and starts another worker after a trap.

import { EventEmitter } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { MessageChannel, Worker } from 'node:worker_threads'
import { Credit, Sender } from './channel.mjs'

const STACK_MB = 32
const OUTPUT_LIMIT = 32 * 1024 * 1024

export class Engine extends EventEmitter {
  constructor({ dataDir }) {
    super()
    this.options = { dataDir }
    this.queue = [] // sessions waiting for the backend: {session, resolve, reject}
    this.holder = null // the session the backend works for now
    this.loaded = null // the session whose settings are in the backend
    this.running = false
    this.checkpointDue = false
    this.lastId = 0
    this.replies = new Map()
  }

  // Resolves when the backend can take statements.
  start() {
    const input = new Int32Array(new SharedArrayBuffer(4))
    const output = new Int32Array(new SharedArrayBuffer(4))
    const { port1, port2 } = new MessageChannel()
    this.sender = new Sender(port1, input)
    this.outputCredit = new Credit(output, OUTPUT_LIMIT)
    this.worker = new Worker(new URL('backend.mjs', import.meta.url), {
      workerData: { ...this.options, port: port2, inputCounter: input, outputCounter: output },
      transferList: [port2],
      resourceLimits: { stackSizeMb: STACK_MB },
    })
    return new Promise((resolve, reject) => {
      this.starting = { resolve, reject }
      const worker = this.worker
      worker.on('message', (event) => this.#receive(worker, event))
      worker.on('error', (error) => this.#trapped(worker, `${error?.stack ?? error}`))
      worker.on('exit', (code) => this.#trapped(worker, `the worker ended with ${code}`))
    })
  }

  #receive(worker, event) {
    if (worker !== this.worker) return
    if (event.kind === 'started') this.#started(event.parameters)
    else if (event.kind === 'trap') this.#trapped(worker, event.text)
    else if (event.kind === 'reply') this.#replied(event)
    else if (event.kind === 'output') this.#output(event.data)
    else this.#progress(event)
  }

  #started(parameters) {
    this.running = true
    this.parameters = parameters // as reported to a client that set nothing
    this.starting.resolve()
    this.#next()
  }

  #output(data) {
    if (this.holder) this.holder.onOutput(data, () => this.outputCredit.refund(data.length))
    else this.outputCredit.refund(data.length)
  }

  #progress(event) {
    if (event.kind === 'done') this.checkpointDue = event.checkpoint
    this.holder?.onProgress(event)
  }

  #trapped(worker, text) {
    if (worker !== this.worker) return
    this.worker = null
    worker.terminate()
    const wasRunning = this.running
    this.running = false
    this.holder = this.loaded = null
    this.queue = []
    this.replies.clear()
    if (wasRunning) this.emit('trap', text)
    else this.starting.reject(new Error(text))
  }

  // --- requests ----------------------------------------------------------------------

  // Messages of the holder. Returns the number that comes back in `done`.
  feed(data, inject) {
    const id = ++this.lastId
    const transfer = inject ? [data.buffer, inject.buffer] : [data.buffer]
    this.sender.send({ action: 'feed', id, data, inject }, transfer)
    return id
  }

  call(action, argument) {
    const id = ++this.lastId
    return new Promise((resolve, reject) => {
      this.replies.set(id, { resolve, reject })
      this.sender.send({ action, id, argument })
    })
  }

  #replied({ id, value, error }) {
    const reply = this.replies.get(id)
    this.replies.delete(id)
    if (error) reply.reject(Object.assign(new Error(error.M), { fields: error }))
    else reply.resolve(value)
  }

  // --- whose turn it is --------------------------------------------------------------

  get waiting() {
    return this.queue.length > 0
  }

  // Resolves when the backend works for this session, with its settings in place.
  acquire(session) {
    return new Promise((resolve, reject) => {
      this.queue.push({ session, resolve, reject })
      this.#next()
    })
  }

  // The session is outside a transaction, or gone.
  release(session) {
    if (this.holder !== session) return
    this.holder = null
    this.#next()
  }

  // The session's settings are put in place anew before its next statement.
  unload(session) {
    if (this.loaded === session) this.loaded = null
  }

  // A session that waits no more.
  withdraw(session) {
    this.queue = this.queue.filter((entry) => entry.session !== session)
  }

  async #next() {
    if (!this.running || this.holder || !this.queue.length) return
    const { session, resolve, reject } = this.queue.shift()
    this.holder = session
    try {
      if (this.loaded !== session || this.checkpointDue) await this.#handOver(session)
      resolve()
    } catch (error) {
      this.release(session)
      reject(error)
    }
  }

  async #handOver(session) {
    const previous = this.loaded
    const again = previous === session // only to let a checkpoint through
    const save = previous && !previous.closed ? previous.saving() : null
    this.loaded = null
    const next = session.restoring()
    const { saved, parameters } = await this.call('switch', { save, next, again })
    this.checkpointDue = false
    if (saved) previous.onSaved(saved)
    this.loaded = session
    session.onLoaded(parameters)
  }

  // Resolves when no session has the backend any more, or after some seconds.
  async settled() {
    for (let left = 50; left > 0 && this.holder; left--) await delay(100)
  }

  async stop() {
    if (!this.running) return
    await Promise.race([this.call('stop'), delay(10000)])
    const worker = this.worker
    this.worker = null
    this.running = false
    await worker.terminate()
  }
}
