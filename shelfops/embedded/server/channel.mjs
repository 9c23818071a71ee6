// A one-way channel whose receiver can block.
//
// PostgreSQL reads its socket with a blocking call (a COPY waits for rows in the
// middle of a statement), and WebAssembly cannot be suspended. So the engine runs in a
// worker thread that sleeps on an atomic counter, while the main thread keeps serving
// the sockets.

import { receiveMessageOnPort } from 'node:worker_threads'

export class Sender {
  constructor(port, counter) {
    this.port = port
    this.counter = counter
  }

  send(message, transfer = []) {
    this.port.postMessage(message, transfer)
    Atomics.add(this.counter, 0, 1)
    Atomics.notify(this.counter, 0)
  }
}

export class BlockingReceiver {
  constructor(port, counter) {
    this.port = port
    this.counter = counter
  }

  next() {
    for (;;) {
      const seen = Atomics.load(this.counter, 0)
      const received = receiveMessageOnPort(this.port)
      if (received) return received.message
      Atomics.wait(this.counter, 0, seen)
    }
  }
}

// Bytes that one side has produced and the other has not yet disposed of.
export class Credit {
  constructor(counter, limit) {
    this.counter = counter
    this.limit = limit
  }

  spend(bytes) {
    for (;;) {
      const outstanding = Atomics.load(this.counter, 0)
      if (outstanding <= this.limit) break
      Atomics.wait(this.counter, 0, outstanding)
    }
    Atomics.add(this.counter, 0, bytes)
  }

  refund(bytes) {
    Atomics.sub(this.counter, 0, bytes)
    Atomics.notify(this.counter, 0)
  }
}

// A copy with its own memory, so that it can be handed to the other thread.
export function ownBytes(parts) {
  const total = parts.reduce((sum, part) => sum + part.length, 0)
  const bytes = new Uint8Array(total)
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}
