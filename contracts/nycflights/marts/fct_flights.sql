SELECT
  time_hour,
  carrier,
  flight,
  tailnum,
  origin,
  dest,
  make_date(year, month, day) AS flight_date,
  sched_dep_time,
  dep_time,
  dep_delay,
  arr_delay,
  air_time,
  distance,
  dep_time IS NULL AS cancelled
FROM flights
