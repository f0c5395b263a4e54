import { useEffect, useState } from './vendor/preact-hooks.js'

/** A value that components follow. */
export function createStore(value) {
  const listeners = new Set()
  return {
    get value() {
      return value
    },
    set(next) {
      value = next
      for (const listen of listeners) listen()
    },
    /** Replaces some members of an object. */
    merge(members) {
      this.set({ ...value, ...members })
    },
    listen(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}

/** Something that changes in place, and says so. */
export function createSignal() {
  const listeners = new Set()
  return {
    tell() {
      for (const listen of listeners) listen()
    },
    listen(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}

/** Renders the component again when the store changes. @returns the store's value */
export function useStore(store) {
  useFrame(store)
  return store.value
}

/** Renders the component at most once per animation frame, however often the source tells. */
export function useFrame(source) {
  const [, render] = useState(0)
  useEffect(() => {
    let frame
    const show = () => {
      frame = undefined
      render(count => count + 1)
    }
    const forget = source.listen(() => {
      frame ??= requestAnimationFrame(show)
    })
    // What changed between rendering and this effect.
    show()
    return () => {
      forget()
      if (frame !== undefined) cancelAnimationFrame(frame)
    }
  }, [source])
}

/** Renders the component again every so often while it is wanted. @returns milliseconds since the epoch */
export function useNow(everyMs = 1000, wanted = true) {
  const [now, setNow] = useState(Date.now)
  useEffect(() => {
    if (!wanted) return
    const timer = setInterval(() => setNow(Date.now()), everyMs)
    return () => clearInterval(timer)
  }, [everyMs, wanted])
  return now
}
