// Follows the messages in the engine's output without holding them back.

// Types the server looks into: ReadyForQuery, Notice, and in a report of the settings
// also Authentication, ParameterStatus and BackendKeyData.
const LOOKED_INTO = new Set([...'ZNRSK'].map((type) => type.charCodeAt(0)))
const NOTHING = Buffer.alloc(0)

// `inspect(type, body)` returns false to drop the message. Rows and other bulk pass
// through in the pieces they came in.
export class FrameFollower {
  constructor(inspect, pass) {
    this.inspect = inspect
    this.pass = pass
    this.partial = NOTHING
    this.passing = 0
  }

  push(chunk) {
    if (this.partial.length) {
      chunk = Buffer.concat([this.partial, chunk])
      this.partial = NOTHING
    }
    let runStart = 0
    let at = Math.min(this.passing, chunk.length)
    this.passing -= at
    while (at < chunk.length) {
      const have = chunk.length - at
      const total = have < 5 ? Infinity : 1 + chunk.readInt32BE(at + 1)
      const type = chunk[at]
      const inspected = LOOKED_INTO.has(type)
      if (have < 5 || (inspected && have < total)) {
        this.partial = Buffer.from(chunk.subarray(at))
        break
      }
      if (inspected && !this.inspect(String.fromCharCode(type), chunk.subarray(at + 5, at + total))) {
        if (at > runStart) this.pass(chunk.subarray(runStart, at))
        runStart = at + total
      }
      this.passing = Math.max(0, total - have)
      at += Math.min(total, have)
    }
    if (at > runStart) this.pass(chunk.subarray(runStart, at))
  }
}

// Whole messages of a finished answer: [{type, body}].
export function splitFrames(bytes) {
  const frames = []
  for (let at = 0; at < bytes.length; ) {
    const length = bytes.readInt32BE(at + 1)
    frames.push({ type: String.fromCharCode(bytes[at]), body: bytes.subarray(at + 5, at + 1 + length) })
    at += 1 + length
  }
  return frames
}
