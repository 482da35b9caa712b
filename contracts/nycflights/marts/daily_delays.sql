SELECT
  flight_date,
  origin,
  count(*) AS flights,
  count_if(cancelled) AS cancelled,
  avg(dep_delay) AS mean_dep_delay,
  max(dep_delay) AS max_dep_delay
FROM fct_flights
GROUP BY flight_date, origin
