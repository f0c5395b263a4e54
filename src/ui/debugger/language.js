/** Chromium in a POSIX locale calls its language `en-US@posix`, which Intl refuses, and uPlot asks Intl as it is loaded. */
try {
  new Intl.NumberFormat(navigator.language)
} catch {
  Object.defineProperty(navigator, 'language', { value: 'en' })
}
