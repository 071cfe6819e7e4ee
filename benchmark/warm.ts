// Depending on what it sees first, V8 compiles Node's `process.nextTick` (called a few times per request) well or badly, and
// keeps to that: the same server then costs 10 to 20 % more in one process than in the next. Calling it often before anything
// else settles the matter for every contender alike.
const nothing = () => {}
for (let batch = 0; batch < 400; batch++) {
  await new Promise((resolve) => {
    for (let times = 0; times < 500; times++) process.nextTick(nothing, times)
    process.nextTick(resolve, undefined)
  })
}
